# SPDX-License-Identifier: Apache-2.0
"""The C kernels on the host: build the shared library with the system's compiler and call it.

The same calls run in an emulator: anything with `call(symbol, *arguments)` is a `Library`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

KERNELS_DIRECTORY = Path(__file__).resolve().parent
INCLUDE_DIRECTORY = KERNELS_DIRECTORY / "include"
WARNING_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True)
class Struct:
    """A C struct whose fields are int32 or pointers, in order.

    A numpy array stands for a pointer to its data, None for a null pointer.
    """

    fields: tuple[int | np.ndarray | None, ...]


Argument = int | np.ndarray | Struct | None


class Library(Protocol):
    """Where the kernels run: this host, or an emulated core."""

    def call(self, symbol: str, *arguments: Argument) -> int:
        """Call a C function and return its int32 result; arrays are updated in place.

        Arrays that are views of one base array share memory in the call, so that overlapping
        tensors can be passed.
        """
        ...


class CompilerNotFoundError(RuntimeError):
    """No C compiler on the path; the message says how to install one."""


def sources() -> list[Path]:
    """Every C file of the library and of the reference, sorted."""
    return sorted((KERNELS_DIRECTORY / "src").glob("*.c")) + sorted(
        (KERNELS_DIRECTORY / "reference").glob("*.c")
    )


def build_shared_library(destination: Path, flags: Sequence[str] = ("-O2",)) -> Path:
    """Compile all kernels for this host into `destination` (replaced atomically).

    Raises CompilerNotFoundError without a C compiler, subprocess.CalledProcessError when it fails.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CompilerNotFoundError(
            "building the kernels needs a C compiler: install one (Debian: apt install gcc) "
            "or set CC"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as directory:
        built = Path(directory) / destination.name
        command = [compiler, *WARNING_FLAGS, *flags, "-fPIC", "-shared", f"-I{INCLUDE_DIRECTORY}"]
        subprocess.run([*command, *map(str, sources()), "-o", str(built)], check=True)
        built.replace(destination)
    return destination


class NativeLibrary:
    """The kernels in a shared library of this host (portable C path)."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def call(self, symbol: str, *arguments: Argument) -> int:
        """See Library.call. Raises AttributeError for an unknown symbol."""
        function = getattr(self._library, symbol)
        function.restype = ctypes.c_int32
        kept: list[object] = []
        return int(function(*(_native(argument, kept) for argument in arguments)))


def _native(argument: Argument, kept: list[object]) -> object:
    """A ctypes value; what it points to is appended to `kept` so that it outlives the call."""
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, Struct):
        types = [
            (f"field{i}", ctypes.c_int32 if isinstance(field, int) else ctypes.c_void_p)
            for i, field in enumerate(argument.fields)
        ]
        struct_type = type("Struct", (ctypes.Structure,), {"_fields_": types})
        value = struct_type(*(_field(field) for field in argument.fields))
        kept.append(value)
        return ctypes.byref(value)
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.c_int32(argument)


def _field(field: int | np.ndarray | None) -> int | None:
    return field.ctypes.data if isinstance(field, np.ndarray) else field
