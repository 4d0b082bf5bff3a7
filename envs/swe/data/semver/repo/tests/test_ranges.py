import unittest

from semver import Range, Version, newest


class Ranges(unittest.TestCase):
    def test_signs(self):
        self.assertIn(Version.read("1.5.0"), Range(">=1.2.0 <2.0.0"))
        self.assertNotIn(Version.read("2.0.0"), Range("^1.2.3"))
        self.assertIn(Version.read("1.2.9"), Range("~1.2.3"))
        self.assertIn(Version.read("3.0.0"), Range("^1.0.0 || 3.0.0"))

    def test_newest(self):
        self.assertEqual(newest(["1.0.0", "1.10.0", "1.9.0", "2.0.0"], "^1.0.0"), "1.10.0")
        self.assertIsNone(newest(["2.0.0"], "^1.0.0"))
