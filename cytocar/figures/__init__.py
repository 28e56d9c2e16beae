"""Figures for print: the course over days, gate panels, plates (matplotlib lives here)."""
