import unittest

from routes import Routes


class Tables(unittest.TestCase):
    def test_finds(self):
        routes = Routes()
        routes.add("get", "/a/{name}", "show")
        routes.add("post", "/a/{name}", "change")
        self.assertEqual(routes.find("GET", "/a/x?q=1"), ("show", {"name": "x"}))
        self.assertEqual(routes.methods("/a/x"), ["GET", "POST"])
        self.assertIsNone(routes.find("GET", "/b"))

    def test_head_is_a_get(self):
        routes = Routes()
        routes.add("GET", "/", "home")
        self.assertEqual(routes.find("HEAD", "/"), ("home", {}))
