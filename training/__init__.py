"""Train checkpoints on a table of core measurements. Needs the extra ``training`` (torch, scikit-learn, pandas)."""
