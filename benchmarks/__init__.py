"""Measurements against other programs, run by hand: ``python -m benchmarks --help``."""
