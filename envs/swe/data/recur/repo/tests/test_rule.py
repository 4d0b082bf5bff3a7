import unittest
from datetime import date

from recur import Rule, parse_rule


class Rules(unittest.TestCase):
    def test_are_read(self):
        self.assertEqual(parse_rule("every day"), Rule(1, "day"))
        self.assertEqual(parse_rule("Every 2  weeks"), Rule(2, "week"))
        self.assertEqual(parse_rule("every month on workdays"), Rule(1, "month", True))

    def test_nonsense_is_refused(self):
        for text in ("", "daily", "every 0 days", "every month on mondays"):
            with self.assertRaises(ValueError):
                parse_rule(text)

    def test_every_second_week(self):
        days = parse_rule("every 2 weeks").first(date(2024, 1, 1), 3)
        self.assertEqual(days, [date(2024, 1, 1), date(2024, 1, 15), date(2024, 1, 29)])

    def test_every_year(self):
        days = parse_rule("every year").first(date(2022, 5, 7), 3)
        self.assertEqual([day.year for day in days], [2022, 2023, 2024])


if __name__ == "__main__":
    unittest.main()
