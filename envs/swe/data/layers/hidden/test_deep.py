import unittest

from layers import merge, read_settings, resolve


class Deep(unittest.TestCase):
    def test_references_to_references(self):
        found = resolve({"a": "${b.c}", "b": {"c": "${d}", "e": ["${d}/x"]}, "d": 4})
        self.assertEqual(found, {"a": 4, "b": {"c": 4, "e": ["4/x"]}, "d": 4})

    def test_rounds_are_told(self):
        with self.assertRaisesRegex(ValueError, "round: b -> a -> b"):
            resolve({"a": "${b}", "b": "x${a}"})

    def test_the_same_reference_twice_is_no_round(self):
        self.assertEqual(resolve({"a": "${b}${b}", "b": "x"})["a"], "xx")

    def test_no_layer_is_changed(self):
        below, above = {"s": {"a": [1]}, "l": [1]}, {"s": {"b": 2}, "l+": [2]}
        found = merge(below, above)
        found["s"]["a"].append(9)
        found["l"].append(9)
        self.assertEqual((below, above), ({"s": {"a": [1]}, "l": [1]}, {"s": {"b": 2}, "l+": [2]}))

    def test_a_section_over_a_value(self):
        self.assertEqual(merge({"a": 1}, {"a": {"b": 2}}, {"a": {"c": 3}}), {"a": {"b": 2, "c": 3}})

    def test_none_within_a_section(self):
        self.assertEqual(merge({"s": {"a": 1, "b": 2}}, {"s": {"a": None}}), {"s": {"b": 2}})

    def test_a_number_sign_within_a_word(self):
        self.assertEqual(read_settings("color = a#b # c"), {"color": "a#b"})

    def test_a_comment_between_lines_of_a_value(self):
        self.assertEqual(read_settings("a = x\n# no\n  y"), {"a": "x y"})
