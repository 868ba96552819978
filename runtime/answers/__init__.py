"""What the model returns for rows, and where it comes from."""
