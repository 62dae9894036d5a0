"""Tools that measure code sizes: pieces of linked images and the groups made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from predictor.errors import UsageError
from tools.code_size import table
from tools.code_size.linked_image import Image, _members
from tools.recount import library


def _image(*pieces: str) -> Image:
    sizes = {(piece,): 10 * len(piece) for piece in pieces}
    return Image(sum(sizes.values()), 0, sizes, {})


PIECES = {"CONV_2D": ("conv", "helper"), "ADD": ("add", "helper"), "RESHAPE": ()}


class FakeLinker:
    """Operators that share a helper, and a table of operators that grows with each."""

    labels = ("CONV_2D", "ADD", "RESHAPE")

    def link(self, labels: Iterable[str]) -> Image:
        chosen = list(labels)
        pieces = {piece for label in chosen for piece in PIECES[label]}
        image = _image("base", *pieces)
        entries = 8 * len(chosen)
        flash_pieces = image.flash_pieces | {("operators",): 4 + entries}
        return Image(sum(flash_pieces.values()), 0, flash_pieces, {})

    def objects(self) -> dict[str, object]:
        return {"interpreter_bytes": 1, "resolver_bytes": {"fixed": 2, "per_operator": 3}}


def test_groups_are_what_operators_link_together() -> None:
    found = table.measure(FakeLinker(), checks=0, title="fake")
    assert found["base_bytes"] == 44
    assert found["error"] == 0.0
    linked = {tuple(group["linked_by"]): group["bytes"] for group in found["groups"]}
    assert linked == {
        ("CONV_2D",): 40 + 8,
        ("ADD",): 30 + 8,
        ("RESHAPE",): 8,
        ("ADD", "CONV_2D"): 60,
    }


def _member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def test_members_of_archives_of_the_same_name_are_all_found(tmp_path: Path) -> None:
    long_names = b"a_name_that_is_too_long.o/\n"
    archive = tmp_path / "lib.a"
    archive.write_bytes(
        b"!<arch>\n"
        + _member("//", long_names)
        + _member("common.o/", b"first")
        + _member("/0", b"long")
        + _member("common.o/", b"second")
    )
    members = _members(str(archive))
    assert members["common.o"] == [b"first", b"second"]
    assert members["a_name_that_is_too_long.o"] == [b"long"]


@pytest.mark.parametrize(
    ("core", "kernels", "build", "folder", "option"),
    [
        ("cortex-m4", "cmsis_nn", "release", "cortex-m4+fp_release_cmsis_nn_gcc", "cmsis_nn"),
        ("cortex-m7", "reference", "release_with_logs", "release_with_logs_gcc", "FPU=fpv5-sp-d16"),
    ],
)
def test_missing_libraries_are_named_with_the_command_that_builds_them(
    tmp_path: Path, core: str, kernels: str, build: str, folder: str, option: str
) -> None:
    with pytest.raises(UsageError) as error:
        library(tmp_path, core, kernels, build)
    assert folder in str(error.value)
    assert option in str(error.value)
    assert f"BUILD_TYPE={build}" in str(error.value)
