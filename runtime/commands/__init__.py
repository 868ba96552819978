"""One verb of the command line a file, and the work that only it does."""
