"""Writes a revision's ``sources.toml``: ``python -m tools.fingerprint_tflm TREE NAME``."""

from __future__ import annotations

import argparse
from pathlib import Path

from predictor.firmware.tflm_sources import digests
from predictor.memory.revision import revision_folder, revision_names

_HEAD = """\
# The sources of this TFLM that the prediction mirrors: SHA-256 of each without comments and white
# space, first 12 digits (tools/fingerprint_tflm.py). By them a user's tree is known.

[sources]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="folder that holds tensorflow/")
    parser.add_argument("name", choices=revision_names())
    arguments = parser.parse_args()
    found = digests(arguments.tree)
    lines = "".join(f'"{path}" = "{digest}"\n' for path, digest in sorted(found.items()))
    (revision_folder(arguments.name) / "sources.toml").write_text(_HEAD + lines)


if __name__ == "__main__":
    main()
