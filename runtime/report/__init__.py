"""Printed text: what was read and what was written."""
