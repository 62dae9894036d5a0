"""Layers in stripes of rows, as plain operators: less is alive at once, equal to the bit."""
