"""What a platform file says of a board."""
