"""Proves that one model computes what another one does; shares no code with what made it."""
