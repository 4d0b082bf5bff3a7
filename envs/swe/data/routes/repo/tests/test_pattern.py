import unittest

from routes import Pattern


class Patterns(unittest.TestCase):
    def test_fixed(self):
        self.assertEqual(Pattern("/a/b").match("/a/b/"), {})
        self.assertIsNone(Pattern("/a/b").match("/a"))
        self.assertIsNone(Pattern("/a").match("/a/b"))

    def test_parameters(self):
        pattern = Pattern("/users/{id:int}/{page}")
        self.assertEqual(pattern.match("/users/7/a%20b"), {"id": 7, "page": "a b"})
        self.assertIsNone(pattern.match("/users/ann/x"))
        self.assertEqual(pattern.build(id=7, page="a b"), "/users/7/a%20b")

    def test_rest(self):
        pattern = Pattern("/files/{path*}")
        self.assertEqual(pattern.match("/files/a/b.txt"), {"path": "a/b.txt"})
        self.assertIsNone(pattern.match("/files"))
        with self.assertRaises(ValueError):
            Pattern("/{path*}/a")
