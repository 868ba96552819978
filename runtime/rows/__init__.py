"""Rows for the model: a scan's own or depth bins, and what a missing value does."""
