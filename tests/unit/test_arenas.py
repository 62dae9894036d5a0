"""Two arenas, and arenas in memories that are named for them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from predictor.boards.board import find_board
from predictor.errors import UsageError
from predictor.firmware.arenas import arena_places, program_board
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision, revision_names
from predictor.memory.sram import ARENA, PERSISTENT_ARENA, ArenaNeed, place
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn, mobilenet_v2
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.operators.sizes import align_up
from predictor.prediction import on_board, predict
from predictor.report import json_report, markdown

BOARD = "h743zi"
SCHEMA = json.loads(Path(json_report.__file__).with_name("prediction.schema.json").read_text())
DTCM, AXI = 131_072, 524_288


@pytest.mark.parametrize("seed", range(40))
def test_two_arenas_part_what_one_holds(seed: int) -> None:
    report = arena(read_graph(random_graph(seed).build()), load_revision())
    split = report.split
    assert split is not None
    # 36 bytes of one allocator become 16 and 32 of two.
    assert split.persistent_bytes - report.persistent_bytes in range(17)
    assert split.nonpersistent_bytes == report.nonpersistent_bytes
    assert split.required_persistent_bytes == align_up(split.persistent_bytes, 16)
    assert split.required_nonpersistent_bytes >= report.nonpersistent_bytes
    assert split.required_nonpersistent_bytes % 16 == 0
    assert report.required_bytes <= split.required_bytes
    # What the one arena needs at most is reached with some of the tail only.
    assert report.required_bytes >= split.required_nonpersistent_bytes
    assert sum(kind.used_bytes for kind in split.breakdown.values()) == split.persistent_bytes


def test_planning_decides_the_nonpersistent_arena_of_small_models() -> None:
    """The planner's list of buffers stands in it, however small the plan is."""
    builder = ModelBuilder("chain")
    x = builder.input((1, 8))
    for _ in range(20):
        x = builder.fully_connected(x, 8)
    builder.output(x)
    report = arena(read_graph(builder.build()), load_revision())
    split = report.split
    assert split is not None
    assert split.required_nonpersistent_bytes > report.nonpersistent_bytes


@pytest.mark.parametrize("name", revision_names())
def test_only_tflm_of_2020_takes_one_arena(name: str) -> None:
    report = arena(read_graph(ds_cnn().build()), load_revision(name))
    assert (report.split is None) == (name == "2020.07")


def test_a_memory_is_a_region_or_neighbours() -> None:
    board = find_board("f746zg")
    assert board.memory("dtcm").size_bytes == 65_536
    assert board.memory("dtcm+sram1").size_bytes == 65_536 + 245_760
    for wrong in ("sram1+dtcm", "dtcm+sram2", "flash", "", "ccm"):
        with pytest.raises(UsageError, match="has no memory"):
            board.memory(wrong)


def test_the_verdict_is_that_of_the_memory() -> None:
    board = find_board(BOARD)
    assert place(board, [ArenaNeed(ARENA, DTCM, "dtcm")], 512).arena_region == "dtcm"
    tight = place(board, [ArenaNeed(ARENA, DTCM + 16, "dtcm")], 512)
    assert not tight.fits
    assert tight.margin_bytes == -16


def test_two_arenas_fit_where_one_does_not() -> None:
    board = find_board(BOARD)
    assert not place(board, AXI + DTCM - 64, 512).fits
    needs = [ArenaNeed(ARENA, AXI - 32), ArenaNeed(PERSISTENT_ARENA, DTCM - 32)]
    placed = place(board, needs, 512)
    assert placed.arena_region == "axi, dtcm"


def test_statics_and_stack_go_beside_an_arena_in_part_of_a_run() -> None:
    """The arena takes an end of its memory, so that a neighbour's room stays in one piece."""
    board = find_board("f746zg")
    needs = [ArenaNeed(ARENA, 60_000, "dtcm")]
    free = board.sram_bytes - 60_000
    assert place(board, needs, free - 8_192 - 4_096, 0).fits
    assert not place(board, needs, free - 4_096 + 1, 0).fits


def test_a_program_leaves_named_memories_to_arenas() -> None:
    board = find_board(BOARD)
    program = program_board(board, ("axi", None))
    assert [region.name for region in program.spans("sram")[0].regions] == [
        "sram1",
        "sram2",
        "sram3",
    ]
    places = arena_places(board, [ArenaNeed(ARENA, 1000, "axi"), ArenaNeed("p", 32, "axi")])
    assert [item.address for item in places] == [0x2408_0000 - 1008, 0x2408_0000 - 1040]
    single = find_board("f401re")
    assert program_board(single, ("sram1",)) is single
    assert arena_places(single, [ArenaNeed(ARENA, 1000, "sram1")])[0].address == 0


def test_other_boards_have_no_memory_of_that_name() -> None:
    model = random_graph(2, max_operators=6).build()
    first = predict(model, BOARD, memory="dtcm", persistent_memory="axi")
    assert len(first.sram.needs) == 2
    other = on_board(first, find_board("f446re"))
    assert len(other.sram.needs) == 1
    assert markdown.boards_table((first, other))


def test_a_model_that_two_arenas_make_fit_is_told_how() -> None:
    content = mobilenet_v2(size=80, width=0.2, head_channels=128).build()
    one = predict(content, "f407g-disc1")
    assert not one.fits
    assert "--memory sram1 --persistent-memory ccm" in one.remedies[0]
    two = predict(content, "f407g-disc1", memory="sram1", persistent_memory="ccm")
    assert two.fits
    assert any("MicroAllocator::Create(persistent_arena, 41024, arena, 96000)" in note
               for note in two.notes)  # fmt: skip
    jsonschema.validate(two.to_json(), SCHEMA)
