"""Damaged input for every parser: what may follow is an error with a code, or a value; never anything else."""
