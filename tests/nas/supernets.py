"""Supernets that tests share."""

from __future__ import annotations

from nas.backbones import build_supernet
from nas.supernet import Supernet


def all_choices() -> Supernet:
    """Every kind of decision, with a shortcut that pools."""
    table = {
        "name": "ds_cnn",
        "channels": 24,
        "blocks": 3,
        "width_step": 8,
        "kernels": [3, 5],
        "strided_blocks": [2],
        "weight_bits": [8, 4],
    }
    return build_supernet(table, (16, 12, 1), 5)


def residual() -> Supernet:
    """Inverted bottlenecks that are added to their input."""
    table = {
        "name": "mobilenet_v2",
        "width": 0.35,
        "stages": 3,
        "head_channels": 64,
        "width_fractions": [0.4, 0.7, 1.0],
    }
    return build_supernet(table, (24, 24, 1), 2)


SUPERNETS = {"all_choices": all_choices, "residual": residual}
