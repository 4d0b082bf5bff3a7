import unittest

from sums import parse, write


class Writing(unittest.TestCase):
    def test_needless_brackets_go(self):
        self.assertEqual(write(parse("((1) + (2 * 3))")), "1 + 2 * 3")

    def test_needed_brackets_stay(self):
        self.assertEqual(write(parse("(1 + 2) * 3")), "(1 + 2) * 3")
