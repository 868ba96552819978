"""The architectures, the scaler, the checkpoints and the shipped bundles.

Importing this package needs neither torch nor scikit-learn: the runtime looks for its shipped bundles here.
"""
