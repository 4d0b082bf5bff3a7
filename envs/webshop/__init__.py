"""WebShop: find the product that an instruction asks for, choose its options, buy it."""
