"""Populations become cells/µL: count methods, background, limits, what may be reported."""
