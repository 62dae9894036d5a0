"""Names of kernel sets, as users and their files write them."""

from __future__ import annotations

MN = "mn"
"""The project's own kernels; operators without one run with TFLM's reference kernels."""

_ALIASES = {"ours": MN}
"""Names that kernel sets had before: command lines and files may still hold them."""


def kernel_set_name(written: str) -> str:
    """The name of a kernel set, by that name or by one that it had before."""
    return _ALIASES.get(written, written)
