"""What a file's columns mean: which is which feature, which depth, which address."""
