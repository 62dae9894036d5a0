"""Runs firmware on an emulated board: platform files, the machine interface and its emulators."""
