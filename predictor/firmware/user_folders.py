"""Where files of this package are kept for a user."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

_NAME = "mcu-predictor"


def user_folder(kind: Literal["config", "cache"]) -> Path:
    """The user's folder for settings or for what can be made again."""
    if not sys.platform.startswith("linux"):
        import platformdirs

        find = {"config": platformdirs.user_config_path, "cache": platformdirs.user_cache_path}
        return find[kind](_NAME)
    # The XDG base directory specification, as platformdirs follows it. Each prediction asks for
    # the settings, and importing that takes longer than all else that is done for them.
    given = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path(f"~/.{kind}").expanduser()
    return base / _NAME
