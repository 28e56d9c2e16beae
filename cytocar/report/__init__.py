"""The report: tables and gate pictures in one HTML file (Jinja2 lives here)."""
