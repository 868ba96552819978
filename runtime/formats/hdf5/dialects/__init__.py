"""The ways in which writers lay columns out in HDF5, a file each, with the same two functions.

``is_mine(node)``
    Whether a group or dataset is laid out so.
``columns_of(node)``
    Its columns; what of it cannot be read is noted.

`writers` know a program by the marks that it leaves: `matlab`, `netcdf`, `pandas`, `pytables`, `xtgeo`. `shapes` know a
dataset by its type and shape: `compound`, `images`, `matrix`, `plain`.
"""
