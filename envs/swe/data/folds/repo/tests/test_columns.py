import unittest

from folds import columns


class Columns(unittest.TestCase):
    def test_sides(self):
        found = columns([["a", "1"], ["bcd", "100"]], align="lr")
        self.assertEqual(found, ["a      1", "bcd  100"])

    def test_short_rows(self):
        self.assertEqual(columns([["a"], ["b", "c"]]), ["a", "b  c"])
        self.assertEqual(columns([]), [])
