"""A local page on which a template is drawn, tried on all files and saved as TOML."""
