"""TFLite_Detection_PostProcess. Mirrors kernels/detection_postprocess.cc."""

from __future__ import annotations

from typing import NamedTuple

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import INT32_MAX, ensure_rank
from predictor.operators.context import NodeContext
from predictor.operators.flexbuffer import custom_options
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

_BOX_COORDINATES = 4
_DETECTIONS_PER_CLASS = 100
_WORD_BYTES = 4
_DECODE_OPS = 20
"""Of each box, roughly: scale, shift, two exponentials and four corners."""


class _Options(NamedTuple):
    max_detections: int
    max_classes: int
    detections_per_class: int
    is_regular: bool
    overlap_threshold: float
    classes: int


def _init(ctx: NodeContext) -> None:
    fields = custom_options(ctx)
    ctx.persistent_struct("OpDataDetectionPostProcess")
    ctx.user = _Options(
        fields.named_int("max_detections"),
        fields.named_int("max_classes_per_detection"),
        fields.named_int("detections_per_class", _DETECTIONS_PER_CLASS),
        bool(fields.named_int("use_regular_nms")),
        fields.named_float("nms_iou_threshold"),
        fields.named_int("num_classes"),
    )


def _prepare(ctx: NodeContext) -> None:
    options: _Options = ctx.user
    ctx.ensure(len(ctx.op.inputs) == 3, f"it has {len(ctx.op.inputs)} inputs, not 3")
    boxes, scores, anchors = (ctx.need_input(position) for position in range(3))
    ensure_rank(ctx, boxes, 3)
    ensure_rank(ctx, scores, 3)
    ensure_rank(ctx, anchors, 2)
    ctx.ensure(len(ctx.op.outputs) == 4, f"it has {len(ctx.op.outputs)} outputs, not 4")
    for size in _scratch_sizes(ctx.shape(boxes)[1], ctx.shape(scores), options):
        ctx.ensure(0 <= size <= INT32_MAX, f"its options ask for a buffer of {size} bytes")
        ctx.scratch(size)
    error = _invoke_error(ctx, boxes, scores, options)
    if error:
        ctx.fails_at_invoke(error)


def _scratch_sizes(boxes: int, scores: tuple[int, ...], options: _Options) -> tuple[int, ...]:
    """Buffers in the order in which TFLM asks for them."""
    words = boxes * _WORD_BYTES
    detections = options.max_detections
    return (
        boxes,  # active candidates
        _BOX_COORDINATES * words,  # decoded boxes
        scores[1] * scores[2] * _WORD_BYTES,
        words,  # scores of a class
        words,  # kept scores
        detections * words,  # scores after suppression
        detections * words,  # sorted values
        words,  # kept indices
        detections * words,  # sorted indices
        max(options.classes, detections) * words,  # box indices or classes
        min(boxes, detections) * words,  # selected
    )


def _invoke_error(ctx: NodeContext, boxes: Tensor, scores: Tensor, options: _Options) -> str | None:
    """Why each run must fail, as far as types, shapes and options tell."""
    batches, count, coordinates = ctx.shape(boxes)
    score_batches, score_count, score_classes = ctx.shape(scores)
    if boxes.type != TensorType.FLOAT32 or scores.type != TensorType.FLOAT32:
        return "it runs on FLOAT32 boxes and scores only"
    if batches != 1 or score_batches != 1:
        return "it runs on batches of 1 only"
    if coordinates < _BOX_COORDINATES or score_count != count:
        return f"boxes {[batches, count, coordinates]} do not suit {score_count} scores"
    if score_classes - options.classes not in (0, 1):
        return f"{score_classes} scores do not suit {options.classes} classes"
    if options.is_regular and options.detections_per_class <= 0:
        return f"detections_per_class is {options.detections_per_class}"
    if not options.is_regular and options.max_classes <= 0:
        return f"max_classes_per_detection is {options.max_classes}"
    if (not options.is_regular or options.classes > 0) and not 0 < options.overlap_threshold <= 1:
        return f"nms_iou_threshold is {options.overlap_threshold:g}, not between 0 and 1"
    return None


def count(ctx: NodeContext) -> OpCount:
    """Decoding of all boxes and one comparison for each score; suppression depends on the data."""
    boxes, scores = ctx.input(0), ctx.input(1)
    if boxes is None or scores is None:
        return OpCount()
    decoded = ctx.element_count(boxes) // _BOX_COORDINATES
    return OpCount(0, decoded * _DECODE_OPS + ctx.element_count(scores))


register("TFLite_Detection_PostProcess", init=_init, prepare=_prepare, count=count)
