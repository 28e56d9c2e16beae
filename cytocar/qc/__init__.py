"""Quality control over runs: what a laboratory watches from run to run, on Levey-Jennings charts with Westgard rules.

``measures`` reads one number per run and quantity, ``westgard`` says which rules a sequence of them breaks,
``levey_jennings`` puts both together.
"""
