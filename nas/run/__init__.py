"""A run: its recipe, folder, phases and report."""
