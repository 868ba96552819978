"""Tables in text: CSV and its relatives."""
