"""Estimates, exact intervals and detection limits of counts: formulas that know no cells."""
