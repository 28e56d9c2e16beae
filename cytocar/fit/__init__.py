"""Templates made from the laboratory's own files: panel from names, scales and gates from what the files show."""
