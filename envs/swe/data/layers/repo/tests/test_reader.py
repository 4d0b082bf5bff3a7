import unittest

from layers import read_settings


class Reading(unittest.TestCase):
    def test_sections_and_types(self):
        text = 'a = 1\n[net.http]\nport = 80 # usual\nhosts = [a, b]\nslow = off\nname = "x # y"\n'
        http = {"port": 80, "hosts": ["a", "b"], "slow": False, "name": "x # y"}
        self.assertEqual(read_settings(text), {"a": 1, "net": {"http": http}})

    def test_values_that_go_on(self):
        self.assertEqual(read_settings("a = one\n  two\nb = 2"), {"a": "one two", "b": 2})

    def test_errors(self):
        for text in ("[a", "x", "= 1"):
            with self.assertRaises(ValueError):
                read_settings(text)
