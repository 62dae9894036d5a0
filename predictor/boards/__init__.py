"""Boards: their memories, clocks and power, each a TOML file with a source for each figure."""
