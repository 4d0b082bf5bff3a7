import unittest

from topo import Cycle, Graph, waves


def graph(**needs):
    found = Graph()
    for job, names in needs.items():
        found.add(job, names.split())
    return found


class Cycles(unittest.TestCase):
    def test_two_ways_to_one_job_are_none(self):
        found = graph(a="b c", b="d", c="d")
        self.assertIsNone(found.find_cycle())
        self.assertEqual(found.order(), ["d", "b", "c", "a"])

    def test_a_short_and_a_long_way_are_none(self):
        self.assertIsNone(graph(a="b c", c="b").find_cycle())

    def test_only_those_in_the_round_are_told(self):
        self.assertEqual(graph(a="b", b="c", c="b").find_cycle(), ["b", "c"])

    def test_a_job_that_waits_for_itself(self):
        with self.assertRaises(Cycle) as caught:
            graph(a="a").order()
        self.assertEqual(caught.exception.jobs, ["a"])

    def test_a_round_behind_what_is_done(self):
        found = graph(a="b d", b="c", d="e", e="d")
        self.assertEqual(found.find_cycle(), ["d", "e"])

    def test_a_need_added_twice_counts_once(self):
        found = graph(a="b")
        found.add("a", ["b"])
        self.assertEqual(found.order(), ["b", "a"])

    def test_waves_of_a_long_and_a_short_way(self):
        self.assertEqual(waves(graph(d="c a", c="b", b="a")), [["a"], ["b"], ["c"], ["d"]])
