"""The command line: one file per verb. Options in, library call, text out; no science."""
