"""Tests of cytocar.product."""
