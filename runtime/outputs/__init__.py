"""Results on disk: one writer a format."""
