"""Copies of FCS files without what may identify a person."""
