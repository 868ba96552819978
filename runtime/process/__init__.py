"""The process that a run is: its guard, its limits and its threads."""
