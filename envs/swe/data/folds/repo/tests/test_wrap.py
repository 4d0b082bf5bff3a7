import unittest

from folds import shorten, wrap


class Wrapping(unittest.TestCase):
    def test_words(self):
        self.assertEqual(wrap("one two three four", 9), ["one two", "three", "four"])

    def test_paragraphs(self):
        self.assertEqual(wrap("a b\nc\n\nd", 5), ["a b c", "", "d"])

    def test_begins(self):
        found = wrap("one two three", 9, first="- ", rest="  ")
        self.assertEqual(found, ["- one two", "  three"])

    def test_no_room(self):
        with self.assertRaises(ValueError):
            wrap("a", 2, first="- ")

    def test_shorten(self):
        self.assertEqual(shorten("one two  three", 14), "one two three")
        self.assertEqual(shorten("one two three", 12), "one two ...")
