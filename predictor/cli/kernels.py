"""``predict kernels``: the project's own kernels as a library for any build."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.console.options import folder_option
from predictor.console.output import emit_text
from predictor.errors import EXIT_FITS


@click.command(name="kernels", short_help="Write the kernels of device models as a library.")
@folder_option("Folder for the library.")
def command(folder: Path) -> int:
    """Write the project's own kernels as a library for CMake, Zephyr, ESP-IDF, PlatformIO, Arduino
    and CMSIS-Pack: one folder serves them all.

    A second run writes what changed; files that you edited stay as they are.
    """
    from predictor.export.folder import write_folder
    from predictor.export.kernel_package import package_files
    from predictor.export.registrations import kernels_version

    done = write_folder(folder, package_files())
    version = ".".join(map(str, kernels_version()))
    lines = [f"{folder}: kernels {version}", *done.told(7)]
    emit_text("\n".join(lines) + "\n")
    return EXIT_FITS
