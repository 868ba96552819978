"""Model bundles, and the model that runs one."""
