"""The commands of ``nas``, one module each."""
