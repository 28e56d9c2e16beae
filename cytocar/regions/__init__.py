"""Fixed gates: one class per kind, with its declaration and all that is asked of it; the geometry under them."""
