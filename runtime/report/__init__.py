"""Text for people: what was read, what was written."""
