"""Columns of an HDF5 file: one file a dialect, and what all of them need."""
