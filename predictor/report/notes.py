"""Sentences that go with the figures: caveats and remedies."""

from __future__ import annotations

from collections.abc import Iterable

from predictor.cost.coverage import uncovered
from predictor.cost.latency import TimingBasis
from predictor.escapes import printable
from predictor.memory.revision import STATIC
from predictor.memory.sram import ARENA, PERSISTENT_ARENA, ArenaNeed, place
from predictor.model.graph import TensorType
from predictor.operators.sizes import align_up
from predictor.optimization.overlap import optimized_bound_bytes
from predictor.optimization.plan_warnings import plan_warnings
from predictor.prediction import Prediction, fitting_boards
from predictor.report.cost_text import open_words
from predictor.report.pruning import pruning_notes
from predictor.semantics.shapes import contradictions
from predictor.words import counted

MAX_OF_A_KIND = 5
_BOARDS_NAMED = 5
_MANY_FLOATS = 1024
"""Bytes of weights from which on they are worth a note."""
_LONGEST_NAME = 40
_SAME_COUNT = 0.02
"""How far two counts of the same model may differ, as a fraction."""


def notes(prediction: Prediction) -> tuple[str, ...]:
    """Caveats, the gravest first."""
    prepared = prediction.arena.prepared
    found = [
        *_shortened(f"Invoke will fail: {error}" for error in prediction.arena.invoke_errors),
        *plan_warnings(prediction.graph, prediction.arena),
        *_shortened(
            f"arena is a bound, not exact: {why}" for why in prediction.arena.inexact_reasons
        ),
        *_shortened(shape_warnings(prediction)),
        *_shortened(_short_constants(prediction)),
        *_shortened(open_words(prediction)),
        *_other_fpu(prediction),
        *_variables(prediction),
        *_two_arenas(prediction),
        *_left_out(prediction, of_the_model=True),
    ]
    if prediction.deployed.is_device_model and prediction.deployed.graph is not prediction.graph:
        found.append(_device_model_note(prediction))
    if prediction.flash.unmeasured:
        names = ", ".join(prediction.flash.unmeasured)
        found.append(f"code bytes are a lower bound: the code of {names} was not measured")
    if prediction.flash.measured_on != prediction.board.core.model.measured_as[0]:
        found.append(
            f"code bytes follow from those on a {prediction.flash.measured_on}, within "
            f"{prediction.flash.code_error:.0%}: none were measured on a "
            f"{prediction.board.core.name}"
        )
    if prediction.flash.measured_revision != prediction.revision.name:
        found.append(
            f"code bytes are those of TFLM {prediction.flash.measured_revision} with "
            f"{prediction.flash.measured_kernels} kernels: none were measured of "
            f"{prediction.revision.name}"
        )
    found += _build(prediction)
    if prediction.options.resolver == "used" and prediction.flash.avoidable_bytes > 0:
        names = ", ".join(prediction.graph.unused_codes)
        found.append(
            f"the file lists operators that no node uses ({names}): a resolver without them saves "
            f"{prediction.flash.avoidable_bytes:,} bytes of code"
        )
    found += _shortened(prepared.notes)
    found += _optimization(prediction)
    found += _quantization(prediction)
    found += pruning_notes(prediction)
    if not any(subgraph.operators for subgraph in prediction.graph.subgraphs):
        found.append("the model has no operator: its outputs are its inputs")
    return tuple(found)


def _build(prediction: Prediction) -> Iterable[str]:
    """How this TFLM is built, where that is not what its users may think."""
    revision = prediction.revision
    if prediction.board.tflm == revision.name:
        yield (
            f"{revision.name} is the TFLM that users of this board usually have: --tflm names "
            "another, --tflm all tries each"
        )
    if not revision.is_static:
        yield (
            f"{revision.name} ships without TF_LITE_STATIC_MEMORY, which makes tensors and nodes "
            f"larger: --tflm {revision.name}{STATIC} predicts a build with it"
        )
    if revision.note:
        yield revision.note
    if revision.kernel_set.like:
        yield (
            f"the buffers of {revision.kernels} kernels follow from their sources; the kernels "
            "themselves were not run, and times are those of reference kernels on this core"
        )


def _other_fpu(prediction: Prediction) -> Iterable[str]:
    core = prediction.board.core
    if core.told_fpu:
        yield (
            f"the board's file says FPU {core.told_fpu}, which a {core.name} does not come with: "
            f"predicted with {core.model.fpu}"
        )


def details(prediction: Prediction) -> tuple[str, ...]:
    """What the figures rest on, of other models: for who wants to know more than the notes say."""
    return (*_library_kernels(prediction), *_left_out(prediction, of_the_model=False))


def _library_kernels(prediction: Prediction) -> Iterable[str]:
    """Operators that the library's kernel serves because it is cheaper."""
    kernels = prediction.revision.kernel_set
    if kernels.left and prediction.registers_builtin:
        yield (
            f"{', '.join(sorted(kernels.left))} with the {kernels.library.name} kernel of TFLM's "
            "library, which takes fewer instructions in this model"
        )


def _left_out(prediction: Prediction, of_the_model: bool) -> Iterable[str]:
    """Measurements of this very board that contradict its intervals, with what excuses that.

    Args:
        of_the_model: those of models with this one's count of instructions, else the others.
    """
    timing = prediction.timing
    if timing.calibration is None or timing.basis is not TimingBasis.BOARD:
        return
    counted_here = prediction.work.instructions
    for item, ratio in uncovered(timing.calibration):
        off = abs(item.features.instructions - counted_here)
        if (off <= _SAME_COUNT * counted_here) != of_the_model:
            continue
        yield (
            f"the latency's interval does not cover {item.model}, measured {ratio:.2f} x as long "
            f"on this board: {item.reason}"
        )


def saved_by_optimizing(prediction: Prediction) -> int:
    """Bytes that ``predict optimize`` saves of the arena at most; cheap, without a solver."""
    report = prediction.arena
    if any(buffer.is_offline_planned for buffer in report.buffers):
        return 0
    if report.required_bytes > align_up(report.used_bytes, 16):
        return 0  # the memory that planning itself takes decides
    return max(0, report.nonpersistent_bytes - optimized_bound_bytes(report))


def _optimization(prediction: Prediction) -> Iterable[str]:
    """What optimising would save."""
    saved = saved_by_optimizing(prediction)
    if saved:
        arena = prediction.arena.required_bytes
        yield f"predict optimize saves up to {saved:,} bytes of the arena ({saved / arena:.0%})"


def _quantization(prediction: Prediction) -> Iterable[str]:
    """What to do about weights that are floats."""
    tensors = [t for subgraph in prediction.graph.subgraphs for t in subgraph.tensors]
    floats = sum(
        tensor.stored_data_bytes
        for tensor in tensors
        if tensor.type is TensorType.FLOAT32 and len(tensor.shape) > 1
    )
    if prediction.ops.total_macs and floats >= _MANY_FLOATS:
        yield (
            f"{floats:,} bytes of weights are float32: quantise to int8 with a representative "
            "dataset, which takes a quarter of their flash and of the tensors' arena"
        )


def shape_warnings(prediction: Prediction) -> Iterable[str]:
    """Tensors whose shape in the file is not what their operator gives, on which TFLM is wrong."""
    for found in contradictions(prediction.graph):
        where = f"operator {found.operator}" + (
            f" of subgraph {found.subgraph}" if found.subgraph else ""
        )
        yield (
            f"results may be WRONG: the file says that tensor {found.tensor} has the shape "
            f"{list(found.stored)}, but {found.label} ({where}) gives {list(found.given)}: TFLM "
            "takes the file's; convert the model with a fixed batch and size"
        )


def _variables(prediction: Prediction) -> Iterable[str]:
    """What an application must write for a model with resource variables."""
    state = prediction.arena.prepared.state
    if not state.resources:
        return
    count = len(state.resources) if state.resource_limit is None else state.resource_limit
    yield (
        f"the model has {counted(len(state.resources), 'resource variable')}: make room, "
        "MicroAllocator* allocator = MicroAllocator::Create(arena, arena_bytes); "
        "MicroInterpreter interpreter(model, resolver, allocator, "
        f"MicroResourceVariables::Create(allocator, {count}));"
    )


def _device_model_note(prediction: Prediction) -> str:
    from predictor.model.device.reader import CODES

    device = prediction.deployed.graph
    operators = [op for subgraph in device.subgraphs for op in subgraph.operators]
    ours = sum(op.is_custom and op.name in CODES for op in operators)
    return (
        f"arena and flash are those of its device model: {device.flatbuffer_bytes:,} bytes, "
        f"{ours} of {len(operators)} operators as custom operators of the project's kernels"
    )


def _short_constants(prediction: Prediction) -> Iterable[str]:
    for subgraph in prediction.graph.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.data is not None and tensor.data.nbytes < tensor.stored_bytes:
                yield (
                    f"constant tensor {tensor.index} ({printable(tensor.name)}) holds "
                    f"{tensor.data.nbytes} bytes where its shape needs {tensor.stored_bytes}"
                )


def _shortened(messages: Iterable[str]) -> list[str]:
    """At most a few messages of a kind; says how many more there are."""
    found = list(messages)
    if len(found) <= MAX_OF_A_KIND:
        return found
    return [*found[:MAX_OF_A_KIND], f"... and {len(found) - MAX_OF_A_KIND} more of this kind"]


def misfit(prediction: Prediction) -> str:
    """Which memories are too small for the prediction."""
    reasons = []
    if not prediction.sram.fits:
        reasons.append(f"RAM margin {prediction.sram.margin_bytes:,} bytes")
    if prediction.flash_margin_bytes < 0:
        reasons.append(f"flash margin {prediction.flash_margin_bytes:,} bytes")
    return f"does not fit {prediction.board.name} ({', '.join(reasons)})"


def remedies(prediction: Prediction) -> tuple[str, ...]:
    """What would make a model fit that does not, the cheapest first."""
    if prediction.fits:
        return ()
    found: list[str] = []
    if not prediction.sram.fits:
        found += _memory_remedies(prediction)
    if prediction.flash_margin_bytes < 0:
        found += _flash_remedies(prediction)
    larger = [board.name for board in fitting_boards(prediction)]
    if larger:
        more = f" and {len(larger) - _BOARDS_NAMED} more" if len(larger) > _BOARDS_NAMED else ""
        names = ", ".join(larger[:_BOARDS_NAMED])
        found.append(f"use a larger board, smallest RAM first: it fits {names}{more}")
    return tuple(found)


def _memory_remedies(prediction: Prediction) -> list[str]:
    report = prediction.arena
    found = [*_two_arenas_remedy(prediction)]
    saved = saved_by_optimizing(prediction)
    if saved and prediction.options.persistent_memory is None:
        planned = align_up(report.used_bytes - saved, 16)
        verdict = place(
            prediction.board,
            planned,
            prediction.sram.static_bytes,
            prediction.sram.reserve_bytes,
        )
        outcome = "which fits" if verdict.fits else "which does not fit either"
        found.append(
            f"predict optimize saves up to {saved:,} bytes by a better memory plan "
            f"(arena {planned:,} bytes), {outcome}"
        )
    tensors = ", ".join(
        f"{_short(printable(buffer.name))} ({buffer.size_bytes:,} bytes)"
        for buffer in prediction.peak_buffers[:3]
    )
    if tensors:
        found.append(f"shrink the tensors alive at the peak ({prediction.peak_words}): {tensors}")
    return found


def _two_arenas_remedy(prediction: Prediction) -> Iterable[str]:
    """Two arenas, in memories that are too small for one."""
    options, sram, split = prediction.options, prediction.sram, prediction.arena.split
    if split is None or options.persistent_memory is not None:
        return
    needs = (
        ArenaNeed(ARENA, split.required_nonpersistent_bytes, options.memory),
        ArenaNeed(PERSISTENT_ARENA, split.required_persistent_bytes),
    )
    placed = place(prediction.board, needs, sram.static_bytes, sram.reserve_bytes)
    if placed.fits:
        first, second = placed.arenas
        yield (
            f"give TFLM two arenas, which fits: {first.size_bytes:,} bytes in {first.region}, "
            f"{second.size_bytes:,} bytes of what is persistent in {second.region} "
            f"(--memory {first.region} --persistent-memory {second.region})"
        )


def _two_arenas(prediction: Prediction) -> Iterable[str]:
    """What an application must write for two arenas, and what they bring."""
    if len(prediction.sram.needs) < 2:
        return
    first, second = prediction.sram.needs
    yield (
        "two arenas: MicroAllocator* allocator = MicroAllocator::Create("
        f"persistent_arena, {second.size_bytes}, arena, {first.size_bytes}); "
        "MicroInterpreter interpreter(model, resolver, allocator); both alignas(16), each in a "
        "section that the linker places in its memory"
    )
    yield (
        f"with the persistent part elsewhere the memory of the planned part holds "
        f"{second.size_bytes:,} bytes less; latency is the same for all memories, as no board's "
        "file says how long its RAM makes the core wait"
    )


def _short(name: str) -> str:
    """The end of a name that is too long to be read."""
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _flash_remedies(prediction: Prediction) -> list[str]:
    found = []
    if prediction.options.resolver == "all":
        found.append("link only the operators that the model uses (--resolver used)")
    missing = -prediction.flash_margin_bytes
    found.append(
        f"shrink the model by {missing:,} bytes "
        f"(flatbuffer {prediction.flash.model_bytes:,}, code {prediction.flash.code_bytes:,})"
    )
    return found
