import unittest

from sums import evaluate, parse, write


class Sides(unittest.TestCase):
    def test_differences_go_from_the_left(self):
        self.assertEqual(evaluate("10 - 3 - 2"), 5)
        self.assertEqual(evaluate("24 / 4 / 2"), 3.0)

    def test_powers_go_from_the_right(self):
        self.assertEqual(evaluate("2 ^ 3 ^ 2"), 512)

    def test_a_negation_is_that_of_the_power(self):
        self.assertEqual(evaluate("-2 ^ 2"), -4)
        self.assertEqual(evaluate("2 ^ -1"), 0.5)
        self.assertEqual(evaluate("-2 * -3"), 6)

    def test_what_is_written_is_read(self):
        for text in ("1 - (2 - 3)", "(2 ^ 3) ^ 2", "2 ^ 3 ^ 2", "-(1 + 2)", "(-2) ^ 2", "1 - -2"):
            self.assertEqual(write(parse(text)), text)
            self.assertEqual(parse(write(parse(text))), parse(text))

    def test_products_and_rests_in_a_row(self):
        self.assertEqual(evaluate("2 * 7 % 4"), 2)
        self.assertEqual(write(parse("2 * (7 % 4)")), "2 * (7 % 4)")
