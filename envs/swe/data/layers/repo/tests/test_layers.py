import unittest

from layers import merge, resolve


class Layers(unittest.TestCase):
    def test_the_last_one_holds(self):
        self.assertEqual(
            merge({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}), {"a": 1, "b": {"c": 2, "d": 3}}
        )
        self.assertEqual(merge({"a": 1}, {"a": None}), {})
        self.assertEqual(merge({"a": [1]}, {"a+": [2]}), {"a": [1, 2]})

    def test_references(self):
        self.assertEqual(resolve({"a": 1, "b": "${a}", "c": "x${a}"}), {"a": 1, "b": 1, "c": "x1"})
        with self.assertRaises(ValueError):
            resolve({"a": "${b}"})
