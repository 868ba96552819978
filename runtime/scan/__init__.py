"""Interpretation of a file's columns: which is which feature, which depth, which part of the address."""
