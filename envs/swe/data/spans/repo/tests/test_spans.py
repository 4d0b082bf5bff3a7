import unittest

from spans import Spans


class Adding(unittest.TestCase):
    def test_joins(self):
        self.assertEqual(list(Spans([(5, 7), (1, 3), (2, 6)])), [(1, 7)])
        self.assertEqual(list(Spans([(1, 3), (3, 5)])), [(1, 5)])
        self.assertEqual(list(Spans([(1, 3), (4, 5)])), [(1, 3), (4, 5)])

    def test_empty_ones_are_none(self):
        self.assertEqual(list(Spans([(3, 3), (5, 1)])), [])

    def test_contains(self):
        spans = Spans([(1, 3)])
        self.assertEqual(
            [number in spans for number in range(5)], [False, True, True, False, False]
        )


class Removing(unittest.TestCase):
    def test_splits(self):
        spans = Spans([(1, 9)])
        spans.remove(3, 5)
        self.assertEqual(list(spans), [(1, 3), (5, 9)])
        self.assertEqual(len(spans), 6)
