import unittest

from folds import shorten, wrap
from folds.columns import columns, definition_list


class LongWords(unittest.TestCase):
    def test_are_broken(self):
        self.assertEqual(wrap("abcdefgh", 3), ["abc", "def", "gh"])

    def test_after_another(self):
        self.assertEqual(wrap("ab cdefghi j", 4), ["ab", "cdef", "ghi", "j"])

    def test_with_begins(self):
        found = wrap("abcdefgh ij", 5, first="- ", rest="    ")
        self.assertEqual(
            found, ["- abc", "    d", "    e", "    f", "    g", "    h", "    i", "    j"]
        )

    def test_of_just_the_width(self):
        self.assertEqual(wrap("abc def", 3), ["abc", "def"])

    def test_no_line_is_too_wide(self):
        text = "a bb ccc dddd eeeee ffffff ggggggg"
        for width in range(4, 20):
            for first, rest in (("", ""), ("* ", "  "), ("", "   ")):
                lines = wrap(text, width, first=first, rest=rest)
                self.assertLessEqual(max(map(len, lines)), width)

    def test_the_end_of_one_is_joined(self):
        self.assertEqual(wrap("abcdef g", 4), ["abcd", "ef g"])


class Others(unittest.TestCase):
    def test_shorten_to_the_mark(self):
        self.assertEqual(shorten("abcdef gh", 5), "...")
        self.assertEqual(shorten("ab cdef", 6), "ab ...")

    def test_centre(self):
        self.assertEqual(
            columns([["ab", "x"], ["abcde", "y"]], align="c"), [" ab    x", "abcde  y"]
        )

    def test_definitions(self):
        found = definition_list([("a", "one two"), ("bb", "three")], 8)
        self.assertEqual(found, ["a   one", "    two", "bb  three"[:8], "    e"])
