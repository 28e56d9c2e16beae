"""Tests of cytocar.report.qc."""
