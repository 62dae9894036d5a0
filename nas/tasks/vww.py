"""Visual Wake Words: is there a person? (Chowdhery et al., 2019)

From COCO's images and instance annotations: the label is person where one of them covers at least
0.5 % of the image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nas.backbones.reading import check_keys, whole
from nas.tasks.dataset import Dataset, Floats, Task, data_folder, optional
from nas.tasks.faces import mirrored_and_shifted
from predictor.errors import UsageError

AREA_SHARE = 0.005
_SPLITS = ("train2017", "val2017")
_HOW = (
    "Get train2017.zip, val2017.zip and annotations_trainval2017.zip from "
    "https://cocodataset.org/#download and unpack them into one folder."
)


def load(folder: Path | None, seed: int, options: dict[str, Any]) -> Dataset:
    """Grayscale images; ``image_size`` and ``max_images`` are keys of the recipe's data table.

    Raises:
        UsageError: the folder is not laid out as COCO's archives are.
    """
    check_keys(options, ("image_size", "max_images"), "data")
    size = whole(options, "image_size", 50, "data")
    most = whole(options, "max_images", 1_000_000, "data")
    root = data_folder(folder, "vww", _HOW)
    (train_x, train_y), (test_x, test_y) = (_split(root, name, size, most) for name in _SPLITS)
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


def _split(root: Path, name: str, size: int, most: int) -> tuple[Floats, Any]:
    path = root / "annotations" / f"instances_{name}.json"
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
    is_offline=False,
    source="COCO 2017",
)
