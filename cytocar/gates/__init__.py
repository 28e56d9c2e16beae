"""Gates: geometry, data-driven placement, and the walk over a template's tree of populations."""
