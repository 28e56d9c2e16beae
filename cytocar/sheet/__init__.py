"""One row per tube: sample sheets read and drafted, plate maps, rows from the command line."""
