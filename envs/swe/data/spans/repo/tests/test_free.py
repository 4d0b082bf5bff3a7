import unittest

from spans import find_free


class Free(unittest.TestCase):
    def test_nobody_is_busy(self):
        self.assertEqual(find_free((9, 17), [], 1), [(9, 17)])

    def test_two_people(self):
        busy = [[(9, 10), (12, 13)], [(12, 14)]]
        self.assertEqual(find_free((9, 17), busy, 2), [(10, 12), (14, 17)])
