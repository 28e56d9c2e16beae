"""A run's counts beside those of another program, another run or a table: how far apart, why, within a tolerance?

``counts`` brings either side into one form, ``compare`` sets them side by side.
"""
