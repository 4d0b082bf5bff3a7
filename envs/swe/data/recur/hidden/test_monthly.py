import unittest
from datetime import date

from recur import parse_rule


class Monthly(unittest.TestCase):
    def test_the_end_of_the_month_stays_the_end(self):
        days = parse_rule("every month").first(date(2023, 1, 31), 4)
        ends = [date(2023, 1, 31), date(2023, 2, 28), date(2023, 3, 31), date(2023, 4, 30)]
        self.assertEqual(days, ends)

    def test_leap_day_comes_back(self):
        days = parse_rule("every year").first(date(2024, 2, 29), 5)
        self.assertEqual([day.day for day in days], [29, 28, 28, 28, 29])

    def test_a_moved_day_moves_no_other(self):
        days = parse_rule("every week on workdays").first(date(2024, 6, 1), 3)
        self.assertEqual(days, [date(2024, 6, 3), date(2024, 6, 10), date(2024, 6, 17)])

    def test_holidays_move_too(self):
        rule = parse_rule("every day on workdays")
        days = rule.first(date(2024, 12, 24), 3, {date(2024, 12, 25)})
        self.assertEqual(days, [date(2024, 12, 24), date(2024, 12, 26), date(2024, 12, 26)])

    def test_between(self):
        rule = parse_rule("every 10 days")
        found = rule.between(date(2024, 1, 1), date(2024, 1, 11), date(2024, 1, 31))
        self.assertEqual(found, [date(2024, 1, 11), date(2024, 1, 21)])
