"""Tests of cytocar.validation."""
