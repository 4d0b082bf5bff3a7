import unittest

from spans import Spans, find_free


class Edges(unittest.TestCase):
    def test_against_sets(self):
        for begin in range(9):
            for end in range(begin, 10):
                spans = Spans([(1, 3), (4, 6), (7, 9)])
                spans.remove(begin, end)
                expected = {1, 2, 4, 5, 7, 8} - set(range(begin, end))
                self.assertEqual({number for number in range(12) if number in spans}, expected)
                self.assertEqual(len(spans), len(expected))

    def test_removing_over_several(self):
        spans = Spans([(1, 3), (4, 6), (7, 9)])
        spans.remove(2, 8)
        self.assertEqual(list(spans), [(1, 2), (8, 9)])

    def test_removing_what_only_touches(self):
        spans = Spans([(1, 3), (5, 8)])
        spans.remove(3, 5)
        self.assertEqual(list(spans), [(1, 3), (5, 8)])

    def test_removing_all(self):
        self.assertEqual(list(Spans([(1, 3)]) - Spans([(0, 9)])), [])

    def test_in_both(self):
        self.assertEqual(list(Spans([(1, 5), (7, 9)]) & Spans([(3, 8)])), [(3, 5), (7, 8)])

    def test_busy_from_early_to_late(self):
        self.assertEqual(find_free((9, 17), [[(8, 10), (16, 20)]], 1), [(10, 16)])
        self.assertEqual(find_free((9, 17), [[(8, 10), (9, 12)], [(11, 16)]], 1), [(16, 17)])
