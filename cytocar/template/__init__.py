"""Gating templates: what a laboratory has decided, in one file that people can read."""
