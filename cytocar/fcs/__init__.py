"""An FCS file becomes columns."""
