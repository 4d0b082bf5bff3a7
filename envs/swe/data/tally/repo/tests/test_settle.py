import unittest

from tally import balances, settle


class Settling(unittest.TestCase):
    def test_balances_add_up_to_nothing(self):
        found = balances([("ann", 1000, {"ann": 1, "bob": 1, "cy": 1})])
        self.assertEqual(found, {"ann": 666, "bob": -333, "cy": -333})

    def test_largest_debt_first(self):
        self.assertEqual(
            settle({"ann": 50, "bob": -20, "cy": -30}), [("cy", "ann", 30), ("bob", "ann", 20)]
        )

    def test_refuses_what_does_not_add_up(self):
        with self.assertRaises(ValueError):
            settle({"ann": 1})


if __name__ == "__main__":
    unittest.main()
