"""Reader of HDF5 files: one module per dialect in `dialects`, and the code that they share."""
