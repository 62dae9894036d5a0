"""The colours of pages and pictures, light and dark.

Text on its background has a contrast of at least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3),
marks against their background at least 3 to 1 (1.4.11); a test computes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "page": "#f4f5f7",
        "surface": "#ffffff",
        "text": "#1c2128",
        "muted": "#57606a",
        "line": "#d0d7de",
        "accent": "#0550ae",
        "good": "#116329",
        "bad": "#b3131f",
        "warn": "#7d4e00",
        "bound": "#6639ba",
        "tensor": "#a9cdfa",
        "tensor-edge": "#2f6fc0",
        "io": "#92d8bb",
        "io-edge": "#1c7f5b",
        "scratch": "#f8c97c",
        "scratch-edge": "#9c6000",
        "other": "#d8c4f5",
        "other-edge": "#7a4fc0",
        "free": "#e4e7eb",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "page": "#0d1117",
        "surface": "#161b22",
        "text": "#e6edf3",
        "muted": "#a3adb8",
        "line": "#3d444d",
        "accent": "#79b8ff",
        "good": "#56d364",
        "bad": "#ff8f88",
        "warn": "#e3b341",
        "bound": "#cba6ff",
        "tensor": "#23497f",
        "tensor-edge": "#6ea8f0",
        "io": "#14573f",
        "io-edge": "#4cc398",
        "scratch": "#6b440b",
        "scratch-edge": "#e0a040",
        "other": "#4a3273",
        "other-edge": "#b08cf0",
        "free": "#2a313a",
    }
)


def css_variables(colors: Mapping[str, str]) -> str:
    """Declarations of custom properties, one per colour."""
    return " ".join(f"--{name}: {value};" for name, value in colors.items())
