"""Subjects over time: draws, replicates, clinical values, cohorts."""
