"""The page of ``cytocar compare``, for the file of a validation."""
