"""The part of the firmware that all boards of a core share, compiled once and kept.

It is all that reads TFLM's headers, and so takes most of the compiler's time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from predictor.cores.core import Core
from predictor.firmware.cmake import KeptBuild
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.toolchain import ProgressCallback, Toolchain

OPERATORS_HEADER = "operators.h"
_READ = ("cmake/*", "runner/*", "mn_operators/*", "src/*.h", "ports/*.h")


def library_variables(library: TflmLibrary) -> dict[str, str]:
    """CMake variables of a program that links a TFLM library."""
    own = library.mn_kernels
    return {
        "TFLM_LIBRARY": str(library.archive),
        "TFLM_INCLUDE_DIRS": ";".join(map(str, library.include_dirs)),
        "MN_KERNELS_DIR": "" if own is None else str(own.folder),
        "MN_KERNELS_LIBRARY": "" if own is None else str(own.archive),
        "TFLM_STATIC_MEMORY": "ON" if library.is_static else "OFF",
        "TFLM_ARDUINO": "ON" if library.is_arduino else "OFF",
        "TFLM_STRIPPED": "ON" if library.is_stripped else "OFF",
    }


def runner_objects(
    toolchain: Toolchain,
    core: Core,
    library: TflmLibrary,
    operators: str,
    progress: ProgressCallback,
) -> tuple[Path, ...]:
    """Object files of the runner for a core with a TFLM library, in the order to link them.

    The last is the table of the operators that it links.

    Args:
        operators: text of ``operators.h``.

    Raises:
        EmulationError: they could not be compiled.
    """
    firmware = shipped_folder("firmware")
    linked = library_variables(library)
    rest = KeptBuild(
        firmware / "runner",
        "runner",
        core.name,
        {
            "CORE_FLAGS": ";".join(core.program_flags),
            "TFLM_INCLUDE_DIRS": linked["TFLM_INCLUDE_DIRS"],
            "TFLM_REVISION": library.mark,
            "TFLM_KERNELS": library.kernels,
            "MN_KERNELS_DIR": linked["MN_KERNELS_DIR"],
            "TFLM_STATIC_MEMORY": linked["TFLM_STATIC_MEMORY"],
            "TFLM_ARDUINO": linked["TFLM_ARDUINO"],
            "TFLM_STRIPPED": linked["TFLM_STRIPPED"],
        },
        products="*.obj",
        read=sorted(path for pattern in _READ for path in firmware.glob(pattern)),
    )
    table = replace(
        rest,
        kind="operators",
        variables={**rest.variables, "OPERATORS_HEADER": OPERATORS_HEADER},
        generated={OPERATORS_HEADER: operators},
    )
    folders = (
        rest.folder(toolchain, progress, f"compiling the runner for {core.name} (once)"),
        table.folder(toolchain, progress, f"compiling the operators' table for {core.name} (once)"),
    )
    return tuple(path for folder in folders for path in sorted(folder.glob("*.obj")))
