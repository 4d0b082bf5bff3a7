import unittest

from topo import Graph, critical_path, waves


class Plans(unittest.TestCase):
    def test_waves(self):
        graph = Graph()
        graph.add("c", ["a", "b"])
        self.assertEqual(waves(graph), [["a", "b"], ["c"]])
        self.assertEqual(waves(Graph()), [])

    def test_critical_path(self):
        graph = Graph()
        graph.add("c", ["a", "b"])
        self.assertEqual(critical_path(graph, {"a": 1, "b": 5, "c": 2}), (7, ["b", "c"]))
        self.assertEqual(critical_path(Graph(), {}), (0, []))
