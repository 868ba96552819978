"""Following a file that grows."""
