import unittest

from bucket import Limiter, delays, retry


class Others(unittest.TestCase):
    def test_each_client_has_its_own(self):
        limiter = Limiter(1, 1, lambda: 0)
        self.assertEqual([limiter.allows(name) for name in "aab"], [True, False, True])

    def test_delays(self):
        self.assertEqual(list(delays(100, 2, 500, 5)), [100, 200, 400, 500])

    def test_retry(self):
        answers, slept = [ValueError(), 7], []

        def what():
            found = answers.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        self.assertEqual(retry(what, iter([10]), slept.append), 7)
        self.assertEqual(slept, [10])
