"""Builds the TFLM firmware for a board and reads what it reports."""
