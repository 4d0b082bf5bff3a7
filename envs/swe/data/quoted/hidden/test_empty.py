import unittest

from quoted import read_rows, write_rows


class Empty(unittest.TestCase):
    def test_last_field(self):
        self.assertEqual(list(read_rows("a,\nb,\n")), [["a", ""], ["b", ""]])

    def test_all_fields(self):
        self.assertEqual(list(read_rows(",,\n")), [["", "", ""]])

    def test_last_field_of_the_text(self):
        self.assertEqual(list(read_rows("a,b,")), [["a", "b", ""]])

    def test_quoted_and_alone(self):
        self.assertEqual(list(read_rows('""\nx\n')), [[""], ["x"]])

    def test_quoted_at_the_end_of_the_text(self):
        self.assertEqual(list(read_rows('a\n""')), [["a"], [""]])

    def test_what_is_written_is_read(self):
        rows = [["a", ""], [""], ["", ""], ['"', "x\ny"], ["\r\n".strip(), "b"]]
        self.assertEqual(list(read_rows(write_rows(rows))), rows)
