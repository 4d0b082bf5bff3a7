import unittest

from semver import Range, Version, newest


def ordered(*texts):
    versions = [Version.read(text) for text in texts]
    return [str(each) for each in sorted(versions[::-1])] == list(texts)


class BeforeARelease(unittest.TestCase):
    def test_comes_before_it(self):
        self.assertTrue(ordered("1.0.0-rc.1", "1.0.0", "1.0.1-a", "1.0.1"))

    def test_numbers_are_numbers(self):
        self.assertTrue(ordered("1.0.0-beta.2", "1.0.0-beta.11"))

    def test_numbers_come_before_words(self):
        self.assertTrue(ordered("1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta"))

    def test_the_build_orders_nothing(self):
        self.assertEqual(Version.read("1.0.0+a"), Version.read("1.0.0+b"))

    def test_is_in_a_range_that_names_one(self):
        self.assertIn(Version.read("1.2.3-beta.4"), Range(">=1.2.3-beta.2"))
        self.assertNotIn(Version.read("1.2.4-beta.4"), Range(">=1.2.3-beta.2"))
        self.assertNotIn(Version.read("1.2.3-beta.4"), Range("^1.0.0"))

    def test_newest_is_a_number(self):
        self.assertEqual(
            newest(["1.0.0-rc.9", "1.0.0-rc.10"], ">=1.0.0-rc.1 <2.0.0"), "1.0.0-rc.10"
        )

    def test_caret_of_zero(self):
        self.assertNotIn(Version.read("0.3.0"), Range("^0.2.3"))
        self.assertNotIn(Version.read("0.0.4"), Range("^0.0.3"))
