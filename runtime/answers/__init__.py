"""What the model says of rows, and how it came about."""
