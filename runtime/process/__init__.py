"""The process of a run: its guard, its limits and its threads."""
