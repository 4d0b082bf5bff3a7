import unittest

from bucket import Limiter, TokenBucket, retry


class Times(unittest.TestCase):
    def setUp(self):
        self.now = 0
        self.bucket = TokenBucket(3, 3, lambda: self.now)

    def test_the_first_moment(self):
        self.bucket.take(3)
        for count in (1, 2, 3):
            wait = self.bucket.wait_for(count)
            self.assertEqual(wait, -(-1000 * count // 3))

    def test_after_the_wait_they_are_there_and_not_before(self):
        self.bucket.take(3)
        wait = self.bucket.wait_for()
        self.now = wait - 1
        self.assertFalse(self.bucket.take())
        self.now = wait
        self.assertTrue(self.bucket.take())

    def test_no_wait_for_what_is_there(self):
        self.assertEqual(self.bucket.wait_for(3), 0)

    def test_small_steps_add_up(self):
        self.bucket.take(3)
        for self.now in range(1, 1000):
            self.bucket.wait_for()
        self.assertFalse(self.bucket.take(3))
        self.now = 1000
        self.assertTrue(self.bucket.take(3))

    def test_a_clock_that_was_set_back(self):
        self.bucket.take(3)
        self.now = -500
        self.assertFalse(self.bucket.take())
        self.now = 0
        self.assertTrue(self.bucket.take())

    def test_full_ones_are_forgotten(self):
        limiter = Limiter(1, 2, lambda: self.now)
        limiter.allows("a")
        self.now = 500
        limiter.allows("b")
        self.now = 1000
        self.assertEqual(limiter.forget(), 1)
        self.assertEqual(limiter.forget(), 0)

    def test_the_last_error_is_raised(self):
        with self.assertRaises(KeyError):
            retry(lambda: {}["a"], iter([1, 2]), lambda _: None)

    def test_other_errors_are_not_tried_again(self):
        waits = iter([1, 2])
        with self.assertRaises(KeyError):
            retry(lambda: {}["a"], waits, lambda _: None, only=ValueError)
        self.assertEqual(next(waits), 1)
