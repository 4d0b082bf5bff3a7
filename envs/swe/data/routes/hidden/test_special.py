import unittest

from routes import Routes


class Special(unittest.TestCase):
    def setUp(self):
        self.routes = Routes()
        for text in ("/{path*}", "/{any}/{id:int}", "/users/{any}", "/users/{id:int}", "/users/me"):
            self.routes.add("GET", text, text)

    def found(self, path):
        return self.routes.find("GET", path)[0]

    def test_fixed_before_all(self):
        self.assertEqual(self.found("/users/me"), "/users/me")

    def test_typed_before_any(self):
        self.assertEqual(self.found("/users/7"), "/users/{id:int}")

    def test_earlier_parts_count_more(self):
        self.assertEqual(self.found("/users/x"), "/users/{any}")
        self.assertEqual(self.found("/other/7"), "/{any}/{id:int}")

    def test_rest_last(self):
        self.assertEqual(self.found("/a/b/c"), "/{path*}")
        self.assertEqual(self.found("/other/x"), "/{path*}")

    def test_first_of_equal_ones(self):
        self.routes.add("GET", "/users/{other}", "late")
        self.assertEqual(self.found("/users/x"), "/users/{any}")

    def test_own_head_before_get(self):
        self.routes.add("HEAD", "/{path*}", "head")
        self.assertEqual(self.routes.find("HEAD", "/users/me"), ("head", {"path": "users/me"}))
