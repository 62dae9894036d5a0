"""The JSON form of predictions. Its schema is ``prediction.schema.json``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from math import isfinite
from operator import attrgetter
from typing import Any

from predictor.cost.op_count import Layer
from predictor.errors import PredictorError, RefusedError
from predictor.memory.arena_report import PlannedBuffer, SplitArena
from predictor.memory.sram import SramReport
from predictor.prediction import Prediction
from predictor.report import refusal
from predictor.report.cost_json import cost_json, layer_costs_json
from predictor.report.placed import Placed

_LAYER = tuple(field.name for field in fields(Layer))
_layer_values = attrgetter(*_LAYER)
SCHEMA_VERSION = "1.3"


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """One prediction as JSON values. All sizes are bytes."""
    return {
        **figures_json(prediction),
        "invoke_errors": prediction.invoke_errors,
        "notes": list(prediction.notes),
        "details": list(prediction.details),
        "remedies": list(prediction.remedies),
    }


def figures_json(prediction: Prediction) -> dict[str, Any]:
    """The JSON values but for what is said in sentences, which takes as long again."""
    graph, board, arena = prediction.graph, prediction.board, prediction.arena
    ops = prediction.ops
    return {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "path": prediction.path,
            "sha256": prediction.sha256,
            "flatbuffer_bytes": graph.flatbuffer_bytes,
            "operators": list(ops.by_operator),
            "operator_count": len(prediction.layers),
            "subgraph_count": len(graph.subgraphs),
        },
        "device_model": _device_model(prediction),
        "runtime": {
            "name": "TensorFlow Lite for Microcontrollers",
            "revision": prediction.revision.name,
            "commit": prediction.revision.commit,
            "kernels": prediction.revision.kernels,
        },
        "board": {
            "name": board.name,
            "title": board.title,
            "core": board.core.name,
            "clock_hz": board.core.clock_hz,
            "sram_bytes": board.sram_bytes,
            "flash_bytes": board.flash_bytes,
        },
        "arena": {
            "used_bytes": arena.used_bytes,
            "required_bytes": arena.required_bytes,
            "nonpersistent_bytes": arena.nonpersistent_bytes,
            "persistent_bytes": arena.persistent_bytes,
            "lower_bound_bytes": arena.lower_bound_bytes,
            "split": _split(arena.split),
            "exact": arena.exact,
            "breakdown": {kind: asdict(usage) for kind, usage in arena.recorded.items()},
            "persistent_by_kind": {
                kind: usage.used_bytes for kind, usage in arena.breakdown.items()
            },
            "plan": [buffer_json(buffer) for buffer in arena.buffers],
            "peak_operator": _peak(prediction),
        },
        "flash": flash_json(prediction),
        "sram": sram_json(prediction.sram),
        "ops": {
            "total_macs": ops.total_macs,
            "least_macs": ops.least_macs,
            "is_open": ops.is_open,
            "total_ops": ops.total_ops,
            "total_other_ops": ops.total_other_ops,
            "by_operator": {name: asdict(total) for name, total in ops.by_operator.items()},
        },
        **cost_json(prediction),
        "layers": [
            {
                **dict(zip(_LAYER, _layer_values(layer), strict=True)),
                "output_shape": list(layer.output_shape),
                **cost,
            }
            for layer, cost in zip(prediction.layers, layer_costs_json(prediction), strict=True)
        ],
        "fits": prediction.fits,
    }


def flash_json(placed: Placed) -> dict[str, Any]:
    """What a program takes of flash."""
    flash = placed.flash
    return {
        "model_bytes": flash.model_bytes,
        "alignment_bytes": flash.alignment_bytes,
        "code_bytes": flash.code_bytes,
        "runtime_bytes": flash.runtime_bytes,
        "operator_bytes": flash.operator_bytes,
        "reserve_bytes": placed.options.reserve_flash_bytes,
        "total_bytes": placed.flash_total_bytes,
        "available_bytes": placed.board.flash_bytes,
        "margin_bytes": placed.flash_margin_bytes,
        "code_error": flash.code_error,
        "unmeasured": list(flash.unmeasured),
    }


def sram_json(sram: SramReport) -> dict[str, Any]:
    """What a program takes of RAM."""
    return {
        "arena_bytes": sram.arena_bytes,
        "static_bytes": sram.static_bytes,
        "stack_bytes": sram.stack_bytes,
        "reserve_bytes": sram.reserve_bytes,
        "total_bytes": sram.total_bytes,
        "available_bytes": sram.available_bytes,
        "largest_span_bytes": sram.largest_span_bytes,
        "margin_bytes": sram.margin_bytes,
        "arena_region": sram.arena_region,
        "arenas": [
            {"name": arena.name, "bytes": arena.size_bytes, "region": arena.region}
            for arena in sram.arenas
        ],
    }


def _device_model(prediction: Prediction) -> dict[str, Any] | None:
    """The device model that TFLM gets instead of the user's file, if it does."""
    deployed = prediction.deployed
    if not deployed.is_device_model or deployed.content is None:
        return None
    labels = Counter(op.label for sub in deployed.graph.subgraphs for op in sub.operators)
    return {
        "flatbuffer_bytes": deployed.graph.flatbuffer_bytes,
        "sha256": hashlib.sha256(deployed.content).hexdigest(),
        "operators": dict(sorted(labels.items())),
    }


def _split(split: SplitArena | None) -> dict[str, int] | None:
    """The needs of two arenas, None where TFLM takes one only."""
    if split is None:
        return None
    return {
        "persistent_bytes": split.persistent_bytes,
        "nonpersistent_bytes": split.nonpersistent_bytes,
        "required_persistent_bytes": split.required_persistent_bytes,
        "required_nonpersistent_bytes": split.required_nonpersistent_bytes,
    }


def buffer_json(buffer: PlannedBuffer) -> dict[str, Any]:
    """A planned buffer as JSON values."""
    return {
        "name": buffer.name,
        "tensor": None if buffer.tensor is None else buffer.tensor.index,
        "subgraph": buffer.subgraph_index,
        "offset": buffer.offset,
        "size_bytes": buffer.size_bytes,
        "first_use": buffer.first_use,
        "last_use": buffer.last_use,
        "scratch_of": buffer.operator_index,
        "offline_planned": buffer.is_offline_planned,
    }


def _peak(prediction: Prediction) -> dict[str, Any] | None:
    position = prediction.peak_operator
    if position is None:
        return None
    op = prediction.graph.subgraphs[position[0]].operators[position[1]]
    return {"subgraph": position[0], "index": position[1], "operator": op.label}


def error_json(error: PredictorError, path: str | None) -> dict[str, Any]:
    """An error as JSON values, for callers that read standard output only."""
    details: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": str(error),
        "exit_code": error.exit_code,
        "path": path,
    }
    if isinstance(error, RefusedError):
        details["reason"] = error.reason
        details["reasons"] = [item.words for item in (error, *error.more)]
        details["operator"] = error.operator
        details["operator_index"] = error.operator_index
        details["subgraph_index"] = error.subgraph_index
        details["rest"] = refusal.to_json(error)
    return {"schema_version": SCHEMA_VERSION, "error": details}


def dumps(value: Any) -> str:
    """JSON in ASCII, which every terminal and file takes; figures that are no number are null.

    As ``json.dumps`` with an indentation of 2, which takes several times as long for it.
    """
    return _text(value, "\n")


def _float(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


_SCALARS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: repr,
    float: _float,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
}
_key = lru_cache(maxsize=1024)(encode_basestring_ascii)
"""Names of fields recur in each layer."""


def _text(value: Any, line: str) -> str:
    """``line``: the end of a line and the indentation of the next."""
    inner, scalar = line + "  ", _SCALARS.get(type(value))
    if scalar is not None:
        return scalar(value)
    if isinstance(value, dict) and value:
        items = []
        for key, item in value.items():
            scalar = _SCALARS.get(type(item))
            text = _text(item, inner) if scalar is None else scalar(item)
            items.append(f"{inner}{_key(str(key))}: {text}")
        return f"{{{','.join(items)}{line}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{','.join([inner + _text(item, inner) for item in value])}{line}]"
    return json.dumps(value)
