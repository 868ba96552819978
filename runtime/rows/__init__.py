"""Rows for the model: a scan's own rows or depth bins, and what is done with missing values."""
