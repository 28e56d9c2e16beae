"""``certificates.html``: one page for each infusion product."""
