"""Parity and throughput against torch, measured side by side: ``make bench`` writes ``RESULTS.md``."""
