"""REST views of ordering: products, customers and orders."""
