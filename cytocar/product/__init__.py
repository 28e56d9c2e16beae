"""Infusion products: dose, copies per CAR+ cell, recovery after thawing, and whether a product meets its limits."""
