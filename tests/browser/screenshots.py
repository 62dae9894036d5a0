"""Screenshots against golden references, with room for other fonts and renderers."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

MEAN_TOLERANCE = 4.0
"""Mean difference of grey levels (of 255) that other fonts may cause."""
FAR_TOLERANCE = 0.02
"""Share of pixels that may differ by more than a quarter of the range."""
SIZE_TOLERANCE = 0.05


def accept(screenshot: bytes, golden: Path) -> None:
    """Keeps a screenshot as a reference, with as many colours as the tolerances need."""
    from PIL import Image

    Image.open(BytesIO(screenshot)).convert("RGB").quantize(48).save(golden, optimize=True)


def differences(screenshot: bytes, golden: Path) -> list[str]:
    """What is different beyond the tolerances; images are compared at a quarter of their size."""
    from PIL import Image, ImageChops

    ours, theirs = Image.open(BytesIO(screenshot)), Image.open(golden)
    found = [
        f"{name} {a} instead of {b}"
        for name, a, b in zip(("width", "height"), ours.size, theirs.size, strict=True)
        if abs(a - b) > SIZE_TOLERANCE * b
    ]
    small = (theirs.width // 4, theirs.height // 4)
    grey = [image.convert("L").resize(small, Image.Resampling.BOX) for image in (ours, theirs)]
    histogram = ImageChops.difference(*grey).histogram()
    pixels = sum(histogram)
    mean = sum(level * count for level, count in enumerate(histogram)) / pixels
    far = sum(histogram[64:]) / pixels
    if mean > MEAN_TOLERANCE:
        found.append(f"mean difference {mean:.1f} levels")
    if far > FAR_TOLERANCE:
        found.append(f"{far:.1%} of the pixels are far off")
    return found
