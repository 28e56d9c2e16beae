"""A whole study of another program: its samples matched to files, its gates as one template, its counts beside.

``match`` finds the file of each sample, ``assemble`` joins the samples' gates, ``roles`` gives populations their role,
``folder`` writes what ``cytocar gate`` and ``cytocar compare`` take.
"""
