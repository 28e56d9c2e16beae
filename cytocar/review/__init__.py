"""A local page for looking at the gates of a finished run, and for moving them with a reason.

``opened`` reads the run and what its trail says, ``tube`` holds the events of the sample that is looked at and counts
it with a gate moved, ``handles`` turns a place on a picture into numbers of a gate, ``session`` saves; ``access``,
``site`` and ``serve`` are the web. What is saved goes through ``override``, ``signature`` and ``report``, and through
nothing else.
"""
