"""Names of kernel sets, as users and their files write them."""

from __future__ import annotations

from collections.abc import Iterable

MN = "mn"
"""The project's own kernels; operators without one run with TFLM's reference kernels."""

BEST = "best"
"""For each operator the cheaper of the project's own kernel and that of TFLM's library."""

_ALIASES = {"ours": MN}
"""Names that kernel sets had before: command lines and files may still hold them."""


def kernel_set_name(written: str) -> str:
    """The name of a kernel set, by that name or by one that it had before."""
    return _ALIASES.get(written, written)


def without_operators(kernels: str, left: Iterable[str]) -> str:
    """The name of a kernel set of which TFLM's library serves the operators ``left``."""
    return "-".join([kernels, *sorted(left)])


def left_operators(kernels: str) -> tuple[str, frozenset[str]]:
    """A kernel set's name without the operators that it leaves to TFLM's library, and these."""
    name, *left = kernels.split("-")
    return name, frozenset(left)


def own_kernels(kernels: str) -> str:
    """The kernels that serve what they can: ``mn`` of ``mn_on_cmsis_nn-FULLY_CONNECTED``."""
    name, _ = left_operators(kernels)
    return name.partition("_on_")[0]
