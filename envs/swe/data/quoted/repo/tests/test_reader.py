import unittest

from quoted import read_rows


class Reading(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(list(read_rows("a,b\nc,d\n")), [["a", "b"], ["c", "d"]])
        self.assertEqual(list(read_rows("a;b", ";")), [["a", "b"]])

    def test_quotes(self):
        self.assertEqual(list(read_rows('"a,b","c\nd"\n')), [["a,b", "c\nd"]])
        self.assertEqual(list(read_rows('"say ""hi""",x')), [['say "hi"', "x"]])

    def test_empty_lines_are_no_rows(self):
        self.assertEqual(list(read_rows("\na\n\n\nb\n\n")), [["a"], ["b"]])

    def test_errors(self):
        for text in ('"a', '"a"b'):
            with self.assertRaises(ValueError):
                list(read_rows(text))
