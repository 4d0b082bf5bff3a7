import unittest
from datetime import date

from recur import add_months, last_day, next_workday


class Months(unittest.TestCase):
    def test_lengths(self):
        self.assertEqual([last_day(2023, month) for month in (1, 2, 4, 12)], [31, 28, 30, 31])
        self.assertEqual([last_day(year, 2) for year in (1900, 2000, 2024)], [28, 29, 29])

    def test_adding(self):
        self.assertEqual(add_months(date(2024, 1, 31), 1), date(2024, 2, 29))
        self.assertEqual(add_months(date(2024, 3, 15), -3), date(2023, 12, 15))


class Workdays(unittest.TestCase):
    def test_weekends_and_holidays_are_none(self):
        saturday = date(2024, 6, 1)
        self.assertEqual(next_workday(saturday), date(2024, 6, 3))
        self.assertEqual(next_workday(saturday, {date(2024, 6, 3)}), date(2024, 6, 4))


if __name__ == "__main__":
    unittest.main()
