"""A laboratory's proof that its method works: designs planned, runs evaluated, criteria met or not.

``designs`` lays a study out as a sheet, ``study`` reads its tubes from finished runs, ``evaluate`` holds a module for
each kind of study, ``criteria`` what has to be met, ``verdicts`` puts both together.
"""
