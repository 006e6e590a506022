"""How a page lies on its scan: skew, orientation, its edges, and what is done about them."""
