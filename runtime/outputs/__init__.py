"""Results on disk: one writer for each format."""
