"""FlowJo workspaces (.wsp) as templates.

FlowJo borrows element names from Gating-ML and means other things by them: bounds and corners are in data units,
ellipses in the 256 steps of the display, populations have names that repeat in other branches, compensated channels
carry a prefix or suffix, Time is in seconds. FlowJo 10 was the model; what has no equivalent is named, never guessed.

``document`` streams a workspace, ``samples`` reads the tree of one sample, ``gates`` one gate, ``scales`` the display
of a channel, ``matrices`` the compensation, ``names`` gives populations short names.
"""
