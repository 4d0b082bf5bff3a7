import unittest

from bucket import TokenBucket


class Tokens(unittest.TestCase):
    def setUp(self):
        self.now = 0
        self.bucket = TokenBucket(2, 4, lambda: self.now)

    def test_full_at_first(self):
        self.assertEqual([self.bucket.take() for _ in range(5)], [True] * 4 + [False])

    def test_fills(self):
        self.bucket.take(4)
        self.now = 499
        self.assertFalse(self.bucket.take())
        self.now = 500
        self.assertTrue(self.bucket.take())

    def test_never_more_than_it_holds(self):
        self.now = 60_000
        self.assertTrue(self.bucket.take(4))
        self.assertFalse(self.bucket.take())
        with self.assertRaises(ValueError):
            self.bucket.take(5)
