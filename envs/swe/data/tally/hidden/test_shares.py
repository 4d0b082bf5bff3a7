import unittest

from tally import balances, share


class LargestRemainder(unittest.TestCase):
    def test_goes_first(self):
        self.assertEqual(share(100, [1, 5, 1]), [14, 72, 14])
        self.assertEqual(share(10, [3, 3, 1]), [4, 4, 2])

    def test_of_a_refund_is_that_of_the_payment(self):
        self.assertEqual(share(-100, [1, 1, 1]), [-34, -33, -33])

    def test_order_of_equal_remainders(self):
        self.assertEqual(share(2, [1, 1, 1]), [1, 1, 0])

    def test_many_add_up(self):
        for cents in range(0, 200, 7):
            for weights in ([1, 2, 3], [7, 7, 1, 1], [5], [0, 3, 9]):
                self.assertEqual(sum(share(cents, weights)), cents)

    def test_balances_use_it(self):
        found = balances([("ann", 10, {"bob": 3, "cy": 3, "dee": 1})])
        self.assertEqual(found, {"ann": 10, "bob": -4, "cy": -4, "dee": -2})
