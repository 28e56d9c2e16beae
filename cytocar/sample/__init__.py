"""One sample: file, template and sheet row become a result."""
