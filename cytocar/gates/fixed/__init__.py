"""Fixed gates: their place in data units, geometry, copies with moved numbers."""
