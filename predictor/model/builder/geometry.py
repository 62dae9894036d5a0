"""Windows that slide over images: kernel, stride, dilation and padding."""

from __future__ import annotations

from typing import Any, NamedTuple

from predictor.errors import UsageError

Pair = int | tuple[int, int]
"""(height, width), or one number for both."""


class Window(NamedTuple):
    """How a kernel moves over an image. ``padding`` is "same" or "valid"."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str

    @property
    def stride_options(self) -> dict[str, Any]:
        return {"padding": self.padding, "stride_h": self.stride[0], "stride_w": self.stride[1]}

    @property
    def dilation_options(self) -> dict[str, Any]:
        return {
            "dilation_h_factor": self.dilation[0],
            "dilation_w_factor": self.dilation[1],
        }

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output. Mirrors ``ComputeOutSize`` of TensorFlow Lite.

        Raises:
            UsageError: the kernel is larger than an input that is not padded.
        """
        sizes = []
        for size, kernel, stride, dilation in zip(
            (height, width), self.kernel, self.stride, self.dilation, strict=True
        ):
            reach = (kernel - 1) * dilation + 1 if self.padding == "valid" else 1
            if size < reach:
                raise UsageError(
                    f"a kernel of {self.kernel[0]} x {self.kernel[1]} does not fit into an input "
                    f"of {height} x {width} without padding; use padding='same'"
                )
            sizes.append((size - reach) // stride + 1)
        return sizes[0], sizes[1]

    def transposed_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what a transposed convolution writes."""
        sizes = []
        for size, kernel, stride in zip((height, width), self.kernel, self.stride, strict=True):
            sizes.append(
                size * stride + (max(kernel - stride, 0) if self.padding == "valid" else 0)
            )
        return sizes[0], sizes[1]


def window(kernel: Pair, stride: Pair, padding: str, dilation: Pair = 1) -> Window:
    """A checked window.

    Raises:
        UsageError: a number is below 1, or the padding is neither "same" nor "valid".
    """
    if padding.lower() not in ("same", "valid"):
        raise UsageError(f"unknown padding {padding!r}; known: same, valid")
    return Window(
        _pair("kernel", kernel),
        _pair("stride", stride),
        _pair("dilation", dilation),
        padding.lower(),
    )


def _pair(what: str, value: Pair) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(n, int) or n < 1 for n in pair):
        raise UsageError(f"{what} {value!r} is neither a whole number from 1 on nor two of them")
    return pair[0], pair[1]
