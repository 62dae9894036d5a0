"""Shapes that operators give, held against those that LiteRT's interpreter finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from predictor.model.graph import Graph
from predictor.model.tflite_writer import write_model
from predictor.operators.kernel_set import overlay
from predictor.proof.host_runtime import HostResult, HostRuntime
from predictor.semantics.shape_rules import rule_of
from predictor.semantics.shape_rules.call import FAMILIES, rules_of
from predictor.semantics.shapes import contradictions
from tests.fuzz.operators import Row, model, models

NO_SHAPE_FOLLOWS = {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"}
CONTROL = {"IF", "WHILE"}
CUSTOM = {"CIRCULAR_BUFFER", "TFLM_DECODE", "TFLite_Detection_PostProcess"}
VARIANTS = (
    ("ADD", Row(["float32 2,1,3", "float32 5,1"], ["float32 2,5,3"], {})),
    ("ARG_MAX", Row(["float32 2,3,4", "k int32 1 = -1"], ["int32 2,3"], {"output_type": 2})),
    ("AVERAGE_POOL_2D", Row(["float32 1,7,6,2"], ["float32 1,2,3,2"],
        {"padding": 1, "stride_h": 3, "stride_w": 2, "filter_height": 3, "filter_width": 1})),
    ("BATCH_MATMUL", Row(["float32 1,4,3", "float32 2,4,5"], ["float32 2,3,5"], {"adj_x": True})),
    ("BATCH_TO_SPACE_ND", Row(["float32 4,2,3,1", "k int32 2 = 2,2", "k int32 2,2 = 1,0,0,2"],
        ["float32 1,3,4,1"])),
    ("CONCATENATION", Row(["float32 2,3", "float32 2,1"], ["float32 2,4"], {"axis": -1})),
    ("CONV_2D", Row(["float32 1,9,8,2", "k float32 5,3,2,2", "k float32 5"], ["float32 1,4,7,5"],
        {"padding": 1, "stride_h": 2, "stride_w": 1})),
    ("CONV_2D", Row(["float32 3,9,8,2", "k float32 5,3,2,2", "k float32 5"], ["float32 3,5,3,5"],
        {"padding": 0, "stride_h": 2, "stride_w": 3})),
    ("DEPTHWISE_CONV_2D", Row(["float32 1,9,8,2", "k float32 1,3,3,4", "k float32 4"],
        ["float32 1,5,4,4"], {"padding": 1, "stride_h": 1, "stride_w": 1, "depth_multiplier": 2,
        "dilation_h_factor": 2, "dilation_w_factor": 2})),
    ("EXPAND_DIMS", Row(["float32 4,3", "k int32 1 = -1"], ["float32 4,3,1"], {})),
    ("FULLY_CONNECTED", Row(["float32 2,3,16", "k float32 5,16", "k float32 5"],
        ["float32 2,3,5"], {"keep_num_dims": True})),
    ("FULLY_CONNECTED", Row(["float32 2,3,16", "k float32 5,16", "k float32 5"],
        ["float32 6,5"], {})),
    ("GATHER", Row(["float32 2,3,4", "int32 2,5"], ["float32 2,5,4"],
        {"axis": 1, "batch_dims": 1})),
    ("GATHER", Row(["float32 2,3,4", "int32 2,5"], ["float32 2,2,5,4"],
        {"axis": -2, "batch_dims": 0})),
    ("GATHER_ND", Row(["float32 2,3,4", "int32 5,2"], ["float32 5,4"], {})),
    ("MEAN", Row(["float32 2,3,4", "k int32 2 = 0,-1"], ["float32 3"], {"keep_dims": False})),
    ("PACK", Row(["float32 4,3"] * 3, ["float32 4,3,3"], {"axis": -1, "values_count": 3})),
    ("PRELU", Row(["float32 1,4,4,3", "k float32 1,1,3"], ["float32 1,4,4,3"])),
    ("RESHAPE", Row(["float32 2,3,4", "k int32 3 = 4,-1,2"], ["float32 4,3,2"])),
    ("SELECT_V2", Row(["bool 2,1", "float32 1,3", "float32 2,3"], ["float32 2,3"], {})),
    ("SLICE", Row(["float32 4,5", "k int32 2 = 1,2", "k int32 2 = -1,2"], ["float32 3,2"], {})),
    ("SPACE_TO_BATCH_ND", Row(["float32 1,5,5,1", "k int32 2 = 2,3", "k int32 2,2 = 1,0,0,1"],
        ["float32 6,3,2,1"])),
    ("SPLIT", Row(["k int32 1 = -1", "float32 2,6"], ["float32 2,2"] * 3, {"num_splits": 3})),
    ("SPLIT_V", Row(["float32 2,6", "k int32 3 = 1,-1,2", "k int32 1 = 1"],
        ["float32 2,1", "float32 2,3", "float32 2,2"], {"num_splits": 3})),
    ("SQUEEZE", Row(["float32 1,4,1,1"], ["float32 1,4"], {"squeeze_dims": (-1, 2)})),
    ("STRIDED_SLICE", Row(["float32 6,5,4", "k int32 3 = 5,1,0", "k int32 3 = 0,9,1",
        "k int32 3 = -2,3,1"], ["float32 3,2"], {"shrink_axis_mask": 4})),
    ("STRIDED_SLICE", Row(["float32 6,5", "k int32 2 = 2,2", "k int32 2 = 3,3", "k int32 2 = 1,1"],
        ["float32 3,3"], {"begin_mask": 1, "end_mask": 2})),
    ("STRIDED_SLICE", Row(["float32 6,5", "k int32 1 = -4", "k int32 1 = -1", "k int32 1 = 2"],
        ["float32 2,5"], {})),
    ("SVDF", Row(["float32 3,4", "k float32 8,4", "k float32 8,3", "k float32 4",
        "v float32 3,24"], ["float32 3,4"], {"rank": 2, "fused_activation_function": 0})),
    ("TRANSPOSE_CONV", Row(["k int32 4 = 2,9,8,3", "k float32 3,3,3,4", "float32 2,5,4,4"],
        ["float32 2,9,8,3"], {"padding": 0, "stride_h": 2, "stride_w": 2})),
    ("UNPACK", Row(["float32 2,4,3"], ["float32 2,3"] * 4, {"axis": -2, "num": 4})),
)  # fmt: skip


def _graphs() -> list[Graph]:
    """Models of one operator each that gives a shape."""
    variants = [model(name, row) for name, row in VARIANTS]
    return [graph for graph in (*variants, *models()) if rule_of(graph.main.operators[0].name)]


def _with_shapes(graph: Graph, shapes: dict[int, tuple[int, ...]]) -> Graph:
    main = graph.main
    tensors = tuple(
        replace(tensor, shape=shapes.get(tensor.index, tensor.shape)) for tensor in main.tensors
    )
    return replace(graph, subgraphs=(replace(main, tensors=tensors),))


def _contradicted(graph: Graph) -> Iterator[Graph]:
    """The model with a placeholder in place of its outputs' sizes, once each."""
    shapes = {index: graph.main.tensors[index].shape for index in graph.main.outputs}
    rank = max(map(len, shapes.values()))
    for axis in range(rank):
        changed = {
            index: (*shape[:axis], 1 if shape[axis] > 1 else 7, *shape[axis + 1 :])
            for index, shape in shapes.items()
            if axis < len(shape)
        }
        yield _with_shapes(graph, changed)


def _run(litert: HostRuntime, graph: Graph) -> HostResult:
    kinds = {"FLOAT32": np.float32, "BOOL": np.bool_}
    tensors = [graph.main.tensors[index] for index in graph.main.inputs]
    inputs = [
        np.zeros(item.shape, kinds.get(item.type.name) or np.dtype(item.type.name.lower()))
        for item in tensors
    ]
    return litert.run(write_model(graph), inputs)


def test_all_builtin_operators_have_a_rule() -> None:
    names = {name for name in overlay("reference").names() if not name.startswith("Signal")}
    assert {name for name in names if rule_of(name) is None} == NO_SHAPE_FOLLOWS | CUSTOM


def test_no_operator_has_two_rules() -> None:
    names = [name for family in FAMILIES for name in rules_of(family)]
    assert len(names) == len(set(names))


def test_single_operators_are_all_here() -> None:
    built = {graph.main.operators[0].name for graph in _graphs()}
    names = {name for name in overlay("reference").names() if rule_of(name)}
    assert names - built == CONTROL


@pytest.mark.parametrize("graph", _graphs(), ids=lambda graph: graph.main.operators[0].name)
def test_shapes_as_they_are_built(graph: Graph) -> None:
    assert not list(contradictions(graph))
    for changed in _contradicted(graph):
        found = list(contradictions(changed))
        assert [item.operator for item in found] == [0] * len(graph.main.outputs)


def test_shapes_are_those_of_litert(litert: HostRuntime) -> None:
    compared: set[str] = set()
    refused: dict[str, str] = {}
    for graph in _graphs():
        if not graph.main.inputs or not _run(litert, graph).outputs:
            continue  # LiteRT lacks the operator for these types
        for changed in _contradicted(graph):
            result = _run(litert, changed)
            if not result.outputs:
                refused[graph.main.operators[0].name] = result.error
                continue
            given = [item.given for item in contradictions(changed)]
            assert given == [output.shape for output in result.outputs], changed.main
            compared.add(graph.main.operators[0].name)
    assert len(compared) > 80
    assert refused.keys() <= {"SLICE"}, refused  # LiteRT refuses a contradiction, too
