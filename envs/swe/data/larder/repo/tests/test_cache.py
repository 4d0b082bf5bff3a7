import unittest

from larder import Cache


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Basics(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.cache = Cache(2, 10, self.clock)

    def test_keeps_and_forgets(self):
        self.cache.put("a", 1)
        self.assertEqual(self.cache.get("a"), 1)
        self.clock.now = 10
        self.assertIsNone(self.cache.get("a"))
        self.assertEqual((self.cache.hits, self.cache.misses), (1, 1))

    def test_the_least_used_goes(self):
        self.cache.put("a", 1)
        self.cache.put("b", 2)
        self.cache.get("a")
        self.cache.put("c", 3)
        self.assertEqual([key in self.cache for key in "abc"], [True, False, True])

    def test_size_is_checked(self):
        with self.assertRaises(ValueError):
            Cache(0, 10, self.clock)


if __name__ == "__main__":
    unittest.main()
