"""The pages that people read: the report of a run, and (``course_folder``, ``course_page``) that of a course.

The report of a run is one HTML file that needs no network, no script and no other file to be read.
``source`` reads the run folder, ``pictures`` draws its gates from the FCS files on axes that ``limits`` ends, ``strip``
and ``sections`` put a sample together, ``attention``, ``plates``, ``courses`` and ``methods`` say what stands on the
first page, ``page`` fills the Jinja2 templates, ``printing`` makes a PDF.
Nothing is decided here: every number is one of the run's tables, printed by ``tables.cell``.
"""
