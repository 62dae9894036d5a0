"""The boards in Renode."""
