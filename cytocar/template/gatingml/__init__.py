"""Gating-ML 2.0, the ISAC standard for exchanging gates: reading, writing, and finding one's own template again.

``read`` turns a document into a template, ``write`` a template as applied to one sample into a document, ``reunite``
gives the original template back where the document was made here, with whatever was edited elsewhere.
"""
