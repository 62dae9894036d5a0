"""The boards in process, with Unicorn."""
