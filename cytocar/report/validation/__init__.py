"""``validation.html``: what a method validation found, against its criteria."""
