"""``predict kernels``: the project's own kernels as a library for any build."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.console.output import emit_text
from predictor.errors import EXIT_FITS


@click.command(name="kernels", short_help="Write the kernels of device models as a library.")
@click.option(
    "-o",
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the library.",
)
def command(folder: Path) -> int:
    """Write the project's own kernels as a library for CMake, Zephyr, ESP-IDF, PlatformIO, Arduino
    and CMSIS-Pack: one folder serves them all.

    A second run writes what changed; files that you edited stay as they are.
    """
    from predictor.export.folder import write_folder
    from predictor.export.kernel_package import package_files
    from predictor.export.registrations import kernels_version

    done = write_folder(folder, package_files())
    lines = [
        f"{folder}: kernels {'.'.join(map(str, kernels_version()))}",
        f"files  {len(done.written)} written, {len(done.unchanged)} as they were, "
        f"{len(done.removed)} removed",
    ]
    lines += [f"kept   {path}: you changed it" for path in done.kept]
    emit_text("\n".join(lines) + "\n")
    return EXIT_FITS
