import unittest

from tally import format_cents, parse_cents, share


class Amounts(unittest.TestCase):
    def test_reads_whole_and_parts(self):
        self.assertEqual(parse_cents("12"), 1200)
        self.assertEqual(parse_cents("1,250.5"), 125050)
        self.assertEqual(parse_cents("-0.07"), -7)

    def test_refuses_what_is_no_amount(self):
        for text in ("", "1.234", "12,50", "one"):
            with self.assertRaises(ValueError):
                parse_cents(text)

    def test_writes(self):
        self.assertEqual(format_cents(125050), "1,250.50")
        self.assertEqual(format_cents(-7), "-0.07")


class Shares(unittest.TestCase):
    def test_add_up(self):
        self.assertEqual(share(100, [1, 1, 1]), [34, 33, 33])

    def test_refuses_weights_that_are_no_weights(self):
        for weights in ([], [0, 0], [1, -1]):
            with self.assertRaises(ValueError):
                share(100, weights)


if __name__ == "__main__":
    unittest.main()
