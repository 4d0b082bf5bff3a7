import unittest

from semver import Version


class Versions(unittest.TestCase):
    def test_are_read_and_written(self):
        for text in ("1.2.3", "1.0.0-beta.2", "0.1.0+linux"):
            self.assertEqual(str(Version.read(text)), text)
        for text in ("1.2", "01.2.3", "1.2.3-", "x"):
            with self.assertRaises(ValueError):
                Version.read(text)

    def test_numbers_order(self):
        self.assertLess(Version.read("1.9.0"), Version.read("1.10.0"))

    def test_bump(self):
        self.assertEqual(str(Version.read("1.2.3").bump("minor")), "1.3.0")
        self.assertEqual(str(Version.read("2.0.0-rc.1").bump("major")), "2.0.0")
