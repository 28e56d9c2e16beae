"""What happened to a run, on record: audit trail, journal, lock."""
