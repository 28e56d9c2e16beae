"""One file per command: options in, a library call, text out."""
