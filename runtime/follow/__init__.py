"""A file that grows."""
