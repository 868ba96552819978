"""What a file holds, as named columns, whatever its format."""
