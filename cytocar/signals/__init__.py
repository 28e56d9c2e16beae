"""Channels become compensated marker signals on a scale: panel, matrix, spillover estimate, scales."""
