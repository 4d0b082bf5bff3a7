import unittest

from sums import evaluate


class Values(unittest.TestCase):
    def test_precedence(self):
        self.assertEqual(evaluate("1 + 2 * 3"), 7)
        self.assertEqual(evaluate("(1 + 2) * 3"), 9)
        self.assertEqual(evaluate("7 % 4 + 1"), 4)

    def test_names(self):
        self.assertEqual(evaluate("a * a", {"a": 1.5}), 2.25)

    def test_errors(self):
        for text in ("", "1 +", "(1", "1 2", "a", "1 ) 2"):
            with self.assertRaises(ValueError):
                evaluate(text)
