"""The result of ``predict optimize`` as JSON and as a picture."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from predictor.optimization.compaction.compaction import Compaction
from predictor.optimization.optimization import Optimization, percent
from predictor.optimization.optimizer import Optimized
from predictor.optimization.overlap import OperatorDistance
from predictor.report.html.plan import plan_of
from predictor.report.html.plan_picture import standalone_svg
from predictor.report.json_report import SCHEMA_VERSION, buffer_json


def plan_svg(result: Optimization) -> str:
    """The new memory plan as a picture."""
    name = os.path.basename(result.before.path) if result.before.path else "model"
    return standalone_svg(plan_of(result.after), f"{name}: optimised memory plan under TFLM")


def optimization_json(result: Optimization) -> dict[str, Any]:
    """The result as JSON values; sizes are bytes."""
    found = result.optimized
    before, after, without = result.planned_bytes
    return {
        "schema_version": SCHEMA_VERSION,
        "model": {"path": result.before.path, "sha256": result.before.sha256},
        "runtime": {
            "revision": result.before.revision.name,
            "commit": result.before.revision.commit,
            "kernels": result.before.revision.kernels,
        },
        "planned_bytes": {"before": before, "after": after, "without_overlap": without},
        "nonpersistent_bytes": _both(found, "nonpersistent_bytes"),
        "arena_used_bytes": _both(found, "used_bytes"),
        "arena_required_bytes": _both(found, "required_bytes"),
        "latency_s": {
            "before": result.before.latency.seconds,
            "after": result.after.latency.seconds,
        },
        "optimal": found.is_optimal,
        "gap_bytes": found.gap_bytes,
        "kept_because": found.kept_because or None,
        "solver_s": round(found.solver_s, 3),
        "extra_instructions_percent": round(result.extra_instructions_percent, 2),
        "steered_operators": list(found.steered),
        "prepared_filters": list(result.prepared_filters),
        "groups": [
            {
                "operator": index,
                "layers": [stage.options.code for stage in options.stages],
                "rows_at_once": [stage.step for stage in options.stages],
                "line_buffer_bytes": options.line_bytes,
            }
            for index, options in result.groups
        ],
        "trade": [
            {
                "nonpersistent_bytes": point.height_bytes,
                "extra_instructions_percent": round(percent(found, point.extra_instructions), 2),
                "steered_operators": list(point.steered),
            }
            for point in found.trade
        ],
        "stripes": [
            {
                "first_operator": item.start,
                "last_operator": item.stop - 1,
                "stripes": item.count,
                "rows": item.rows,
                "repeated_rows": item.repeated_rows,
            }
            for item in found.stripes
        ],
        "compaction": _compaction_json(result.compaction),
        "order": list(found.origin.order),
        "plan_flash_bytes": result.plan_flash_bytes,
        "operators": [_operator(item) for item in found.distances],
        "plan": [buffer_json(buffer) for buffer in found.after.buffers],
        "board": result.after.board.name,
        "fits": {"before": result.before.fits, "after": result.after.fits},
        "newly_fitting_boards": [board.name for board in result.newly_fitting],
    }


def _compaction_json(found: Compaction | None) -> dict[str, Any]:
    """A certificate for each channel that went, in the order of the steps that found them."""
    return {
        "channels": [asdict(certificate) for certificate in found.certificates] if found else [],
        "operators": list(found.changes) if found else [],
    }


def _both(found: Optimized, name: str) -> dict[str, int]:
    return {"before": getattr(found.before, name), "after": getattr(found.after, name)}


def _operator(item: OperatorDistance) -> dict[str, Any]:
    return {
        "index": item.index,
        "subgraph": item.subgraph_index,
        "operator": item.operator,
        "distance_bytes": item.distance_bytes,
        "rule": item.rule,
    }
