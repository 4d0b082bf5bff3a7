import unittest

from quoted import Table


class Tables(unittest.TestCase):
    def test_reads_and_writes(self):
        table = Table.read("name,age\nann,7\nbob\n")
        self.assertEqual(table.rows[1], {"name": "bob", "age": ""})
        self.assertEqual(table.where(lambda row: row["age"] != "").write(), "name,age\nann,7\n")

    def test_refuses_long_rows(self):
        with self.assertRaises(ValueError):
            Table.read("a\n1,2\n")
