"""The verbs of the command line, one in each file, and the work that only they do."""
