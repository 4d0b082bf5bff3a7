import unittest

from larder import Cache, memoised


class Memo(unittest.TestCase):
    def test_calls_once(self):
        calls = []

        @memoised(Cache(8, 60, lambda: 0.0))
        def double(number):
            calls.append(number)
            return 2 * number

        self.assertEqual([double(2), double(2), double(3)], [4, 4, 6])
        self.assertEqual(calls, [2, 3])


if __name__ == "__main__":
    unittest.main()
