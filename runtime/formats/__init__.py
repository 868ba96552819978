"""Readers of file formats: each presents a file as named columns."""
