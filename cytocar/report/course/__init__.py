"""``course.html``: the page of subjects over time."""
