import unittest

from larder import Cache, memoised


class Room(unittest.TestCase):
    def setUp(self):
        self.now = 0.0
        self.cache = Cache(2, 10, lambda: self.now)

    def test_expired_values_go_before_good_ones(self):
        self.cache.put("new", 1)
        self.now = 5.0
        self.cache.put("old", 2)
        self.now = 11.0
        self.cache.put("new", 3)
        self.now = 15.0
        self.cache.put("more", 4)
        self.assertEqual(self.cache.get("new"), 3)
        self.assertEqual(self.cache.get("more"), 4)

    def test_putting_again_pushes_nothing_out(self):
        self.cache.put("a", 1)
        self.cache.put("b", 2)
        self.cache.put("b", 3)
        self.assertEqual((self.cache.get("a"), self.cache.get("b")), (1, 3))

    def test_putting_again_is_a_use(self):
        self.cache.put("a", 1)
        self.cache.put("b", 2)
        self.cache.put("a", 3)
        self.cache.put("c", 4)
        self.assertEqual([key in self.cache for key in "abc"], [True, False, True])

    def test_reading_does_not_make_it_live_longer(self):
        self.cache.put("a", 1)
        self.now = 9.0
        self.cache.get("a")
        self.now = 11.0
        self.assertNotIn("a", self.cache)

    def test_length_counts_the_good_ones(self):
        self.cache.put("a", 1)
        self.now = 6.0
        self.cache.put("b", 2)
        self.now = 12.0
        self.assertEqual(len(self.cache), 1)

    def test_none_is_remembered(self):
        calls = []

        @memoised(self.cache)
        def nothing():
            calls.append(1)

        nothing()
        nothing()
        self.assertEqual(calls, [1])
