"""Boards on QEMU."""
