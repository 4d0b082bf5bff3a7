import unittest

from topo import Cycle, Graph


class Order(unittest.TestCase):
    def test_needs_come_first(self):
        graph = Graph()
        graph.add("bake", ["mix", "heat"])
        graph.add("mix", ["buy"])
        self.assertEqual(graph.order(), ["buy", "heat", "mix", "bake"])

    def test_a_round_is_told(self):
        graph = Graph()
        graph.add("a", ["b"])
        graph.add("b", ["a"])
        with self.assertRaisesRegex(Cycle, "a -> b -> a"):
            graph.order()

    def test_all_needs(self):
        graph = Graph()
        graph.add("c", ["b"])
        graph.add("b", ["a"])
        self.assertEqual(graph.all_needs("c"), {"a", "b"})
