"""Where files are kept for a user: the same places with and without the library that knows them."""

from __future__ import annotations

import sys

import platformdirs
import pytest

from predictor.firmware.user_folders import user_folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="platformdirs itself is asked")
@pytest.mark.parametrize("given", [None, "", "/somewhere/else"])
def test_folders_are_those_of_platformdirs(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("CONFIG", "CACHE"):
        if given is None:
            monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
        else:
            monkeypatch.setenv(f"XDG_{kind}_HOME", given)
    assert user_folder("config") == platformdirs.user_config_path("mcu-predictor")
    assert user_folder("cache") == platformdirs.user_cache_path("mcu-predictor")
