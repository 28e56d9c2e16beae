"""The page of a template made from files: every gate of every file, what it rests on, what was left out and why."""
