"""Layouts of columns in HDF5, one module each, with the same two functions.

``is_mine(node)``
    Return whether a group or dataset has this layout.
``columns_of(node)``
    Yield its columns, with notes on what cannot be read.

`writers` lists the layouts of programs, recognised by their attributes: `matlab`, `netcdf`, `pandas`, `pytables`,
`xtgeo`. `shapes` lists those recognised by type and shape alone: `compound`, `images`, `matrix`, `plain`.
"""
