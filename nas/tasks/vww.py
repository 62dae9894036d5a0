"""Visual Wake Words: is there a person? (Chowdhery et al., 2019)

From COCO's images and instance annotations: the label is person where one of them covers at least
0.5 % of the image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from nas.tasks.dataset import Dataset, Floats, Task, data_folder, optional
from nas.tasks.faces import mirrored_and_shifted
from predictor.errors import UsageError

AREA_SHARE = 0.005
_YEARS = ("2014", "2017")
"""COCO's releases. The paper's 82,783 and 40,504 images are those of 2014."""
_HOW = (
    "Get train2014.zip, val2014.zip and annotations_trainval2014.zip (or those of 2017) from "
    "https://cocodataset.org/#download and unpack them into one folder."
)


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """Grayscale images; ``image_size`` and ``max_images`` are keys of the recipe's data table.

    Raises:
        UsageError: the folder is not laid out as COCO's archives are.
    """
    size, most = options["image_size"], options["max_images"]
    root = data_folder(folder, "vww", _HOW)
    year = next((y for y in _YEARS if _annotations(root, f"train{y}").is_file()), None)
    if year is None:
        raise UsageError(f"{root / 'annotations'} has no instances_train2014.json. {_HOW}")
    (train_x, train_y), (test_x, test_y) = (
        _split(root, f"{split}{year}", size, most) for split in ("train", "val")
    )
    return Dataset(
        train_x, train_y, test_x, test_y, ("no person", "person"), augment=mirrored_and_shifted
    )


def labels(annotations: dict[str, Any]) -> dict[str, int]:
    """File name to label by the area rule.

    Raises:
        UsageError: COCO's fields are missing.
    """
    try:
        person = next(c["id"] for c in annotations["categories"] if c["name"] == "person")
        images = {image["id"]: image for image in annotations["images"]}
        found = {image["file_name"]: 0 for image in images.values()}
        for item in annotations["annotations"]:
            if item["category_id"] != person:
                continue
            image = images[item["image_id"]]
            if item["area"] >= AREA_SHARE * image["width"] * image["height"]:
                found[image["file_name"]] = 1
    except (KeyError, StopIteration, TypeError) as error:
        raise UsageError(f"these are no COCO instance annotations: {error!r}. {_HOW}") from None
    return found


def _annotations(root: Path, split: str) -> Path:
    return root / "annotations" / f"instances_{split}.json"


def _split(root: Path, name: str, size: int, most: int) -> tuple[Floats, Any]:
    path = _annotations(root, name)
    try:
        annotations = json.loads(path.read_text())
    except OSError:
        raise UsageError(f"{path} is missing. {_HOW}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    image = optional("PIL.Image", "pillow")
    x, y = [], []
    for file_name, label in sorted(labels(annotations).items())[:most]:
        try:
            with image.open(root / name / file_name) as picture:
                gray = picture.convert("L").resize((size, size), image.Resampling.BILINEAR)
                x.append(np.asarray(gray, np.float32))
        except OSError as error:
            raise UsageError(f"cannot read {root / name / file_name}: {error}. {_HOW}") from None
        y.append(label)
    return (np.stack(x) / 127.5 - 1.0)[..., None], np.array(y)


TASK = Task(
    name="vww",
    title="visual wake words: person or not, grayscale",
    load=load,
    options=MappingProxyType({"image_size": 50, "max_images": 1_000_000}),
    is_offline=False,
    source="COCO 2014 or 2017",
)
