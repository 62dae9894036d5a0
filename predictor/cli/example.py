"""``predict example``: a model to try the other commands on."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.files import write_file
from predictor.start import say

NAMES = ("ds_cnn", "person_detection", "mobilenet_v2", "autoencoder")
"""Keys of ``EXAMPLE_MODELS``, which loads too much to be read for a help text."""


@click.command(cls=FileCommand, name="example", short_help="Write an example model.")
@click.argument("name", type=click.Choice(NAMES), default=NAMES[0])
@click.option("-o", "--output", type=OUTPUT_PATH, help="File to write.  [default: NAME.tflite]")
def command(name: str, output: Path | None) -> int:
    """Write a network of usual shape with random weights, to try the other commands on.

    \b
    ds_cnn            keyword spotting, as in MLPerf Tiny (the default)
    person_detection  MobileNetV1 of width 0.25 on 96x96 pixels, as TFLM's example
    mobilenet_v2      visual wake words, 96x96 pixels, width 0.35
    autoencoder       anomaly detection, fully connected
    """
    from predictor.model.example_models import EXAMPLE_MODELS

    path = output or Path(f"{name}.tflite")
    content = EXAMPLE_MODELS[name]().build()
    write_file(path, content)
    say(f"wrote {path} ({len(content):,} bytes)")
    return 0
