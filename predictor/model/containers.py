"""Forms in which people keep models beside ``.tflite`` files: read where a model is in them, named
with what makes a ``.tflite`` file of them where not."""

from __future__ import annotations

import io
import re

from predictor.errors import ModelError

IDENTIFIER = b"TFL3"
_CONVERTER = "open('model.tflite', 'wb').write(tf.lite.TFLiteConverter.{method}.convert())"
_KERAS = (
    'convert it with TensorFlow: python -c "import tensorflow as tf; '
    + _CONVERTER.format(method="from_keras_model(tf.keras.models.load_model('{path}'))")
    + '"'
)
_SAVED_MODEL = (
    'a TensorFlow SavedModel; convert it: python -c "import tensorflow as tf; '
    + _CONVERTER.format(method="from_saved_model('{path}')")
    + '"'
)
_ARRAY = re.compile(r"\{([^{}]*)\}")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_NUMBERS = re.compile(r"\s*(?:0[xX][0-9a-fA-F]{1,2}|\d{1,3})\s*")
_TEXT = re.compile(rb"[\t\n\v\f\r\x20-\x7e\x80-\xff]*")
_TEXT_SAMPLE_BYTES = 4096
_PLAIN_PATH = re.compile(r"[\w./ -]+")
"""Paths that may stand in a command as they are."""


def is_model(content: bytes) -> bool:
    """Whether bytes begin like a ``.tflite`` file."""
    return content[4:8] == IDENTIFIER


def unwrapped(content: bytes, path: str, most_bytes: int) -> bytes:
    """The model in a file's content, which is returned as it is where it is in no known form.

    Raises:
        ModelError: it is something else that is known; says what, and what to do.
    """
    if is_model(content):
        return content
    if content.startswith(b"\x1f\x8b"):
        return unwrapped(_decompressed(content, path, most_bytes), path, most_bytes)
    problem = _foreign(content, path)
    if problem:
        raise ModelError(f"{path}: {problem}")
    if _TEXT.fullmatch(content[:_TEXT_SAMPLE_BYTES]) and b"{" in content:
        return _from_array(content, path)
    return content


def folder_words(path: str, names: list[str]) -> str:
    """What a folder is, and what to do."""
    if "saved_model.pb" in names:
        return _SAVED_MODEL.format(path=path)
    models = sorted(name for name in names if name.endswith(".tflite"))
    return f"a folder; name a model in it: {models[0]}" if models else "a folder, not a model file"


def _decompressed(content: bytes, path: str, most_bytes: int) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(io.BytesIO(content)) as file:
            plain = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: damaged gzip file: {error}") from error
    if len(plain) > most_bytes or plain.startswith(b"\x1f\x8b"):
        raise ModelError(f"{path}: a gzip file with more in it than a model; unpack it first")
    return plain


def _foreign(content: bytes, name: str) -> str:
    """What a file is that holds no model, and what to do; empty where it is not known."""
    path = name if _PLAIN_PATH.fullmatch(name) else "MODEL"
    start = content[:512].lstrip().lower()
    if content.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the model itself: run git lfs pull in its repository"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "an HTML page, saved in place of the model: download the raw file "
            "(on GitHub: the button Download raw file)"
        )
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return f"an HDF5 file (Keras .h5); {_KERAS.format(path=path)}"
    if content.startswith(b"PK\x03\x04"):
        return _archive_words(content, path)
    if path.endswith("saved_model.pb"):
        return _SAVED_MODEL.format(path=path.removesuffix("saved_model.pb").rstrip("/") or ".")
    if path.endswith(".onnx") or (content.startswith(b"\x08") and b"onnx" in content[:200].lower()):
        return f"an ONNX model; convert it: pip install onnx2tf && onnx2tf -i {path} -oiqt"
    if path.endswith((".pt", ".pth")):
        return _PYTORCH
    if path.endswith(".pb"):
        return "a frozen TensorFlow graph; convert it with TensorFlow 1's TFLiteConverter"
    return ""


_PYTORCH = "a PyTorch file; export it with litert-torch (pip install litert-torch) or through ONNX"


def _archive_words(content: bytes, path: str) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged zip archive; unpack it, and name the .tflite file in it"
    models = [name for name in names if name.endswith(".tflite") and name.isprintable()]
    if models:
        return f"a zip archive; unpack it, and name the .tflite file in it: {models[0][:80]}"
    if "config.json" in names and any(name.endswith(".h5") for name in names):
        return f"a Keras model (.keras); {_KERAS.format(path=path)}"
    if any(name.endswith("data.pkl") for name in names):
        return _PYTORCH
    if any(name.endswith("saved_model.pb") for name in names):
        return "a zip archive with a TensorFlow SavedModel: unpack it, and name its folder"
    return "a zip archive without a .tflite file in it"


def _from_array(content: bytes, path: str) -> bytes:
    """The model in C or C++ source: the array whose bytes begin like a ``.tflite`` file.

    Raises:
        ModelError: no array is one.
    """
    text = _COMMENT.sub(" ", content.decode("latin-1"))
    arrays = 0
    for match in _ARRAY.finditer(text):
        cells = [cell for cell in match[1].split(",") if cell.strip()]
        if len(cells) < 16 or not all(map(_NUMBERS.fullmatch, cells)):
            continue
        arrays += 1
        numbers = [_number(cell.strip()) for cell in cells]
        if max(numbers) < 256 and is_model(bytes(numbers[:8])):
            return bytes(numbers)
    if arrays:
        raise ModelError(
            f"{path}: source code, but none of its arrays is a TensorFlow Lite model; name the "
            "file with the model's bytes, or make one again: xxd -i model.tflite"
        )
    return content


def _number(text: str) -> int:
    return int(text, 16) if text[:2].lower() == "0x" else int(text)
