"""A bundle, and the model that runs it."""
