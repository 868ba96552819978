"""A table of core measurements in, checkpoints out. Needs the extra ``training`` (torch, scikit-learn, pandas)."""
