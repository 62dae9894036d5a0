"""What a run of the runner told, put together from its messages."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import field

from predictor.errors import EmulationError
from predictor.firmware import protocol
from predictor.firmware.protocol import (
    ArenaUse,
    Data,
    End,
    Failure,
    Hello,
    InvokeCount,
    Log,
    Message,
    ModelFound,
    NewerOperator,
    OperatorCount,
    OutputTensor,
    ProtocolParser,
    StackUse,
)
from predictor.records import dataclass

COUNTER_STEPS = 1 << 32
"""The cycle counter wraps after so many."""


@dataclass(slots=True)
class ModelRun:
    """One invocation: counts of each operator and the bytes of each output."""

    operators: list[OperatorCount] = field(default_factory=list)
    invoke: InvokeCount | None = None
    outputs: list[OutputTensor] = field(default_factory=list)
    contents: dict[int, bytearray] = field(default_factory=dict)
    layers: dict[int, bytearray] = field(default_factory=dict)
    """Of each place in the arena that was asked for, what its operator left there."""

    @property
    def cyccnt(self) -> int:
        """Cycles (on a board) or instructions (emulated) of Invoke, without the counting hooks."""
        if self.invoke is None:
            raise EmulationError("the run did not reach the end of Invoke")
        return (self.invoke.cyccnt - self.invoke.hook_cyccnt) % COUNTER_STEPS

    def output_bytes(self, index: int) -> bytes:
        """Content of an output.

        Raises:
            EmulationError: it did not arrive whole.
        """
        output = next((item for item in self.outputs if item.index == index), None)
        if output is None:
            raise EmulationError(f"output {index} did not arrive")
        content = bytes(self.contents.get(index, b""))
        if len(content) != output.size_bytes or zlib.crc32(content) != output.crc:
            raise EmulationError(
                f"output {index} did not arrive whole ({len(content)} of {output.size_bytes} "
                "bytes, or a wrong checksum); run it again"
            )
        return content


@dataclass(slots=True)
class FirmwareReport:
    """All that the firmware told in one run."""

    hello: Hello | None = None
    model: ModelFound | None = None
    arena: ArenaUse | None = None
    stack: StackUse | None = None
    end: End | None = None
    failure: Failure | None = None
    logs: list[str] = field(default_factory=list)
    newer_operators: list[NewerOperator] = field(default_factory=list)
    runs: dict[int, ModelRun] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Takes in the next message."""
        match message:
            case Hello():
                self.hello = message
            case OperatorCount():
                self._run(message.run).operators.append(message)
            case InvokeCount():
                self._run(message.run).invoke = message
            case OutputTensor():
                self._run(message.run).outputs.append(message)
            case Data():
                self._add_data(message)
            case Log():
                self.logs.append(message.text)
            case NewerOperator():
                self.newer_operators.append(message)
            case ModelFound():
                self.model = message
            case ArenaUse():
                self.arena = message
            case StackUse():
                self.stack = message
            case End():
                self.end = message
            case _:
                self.failure = message

    def _run(self, index: int) -> ModelRun:
        return self.runs.setdefault(index, ModelRun())

    def _add_data(self, message: Data) -> None:
        run = self._run(message.run)
        contents = run.layers if message.of == "layer" else run.contents
        content = contents.setdefault(message.index, bytearray())
        if len(content) == message.offset:
            content += message.content

    def require_success(self) -> None:
        """Returns if the firmware ran to its end without failure.

        Raises:
            EmulationError: what failed, in words.
        """
        if self.failure is not None:
            log = f"; TFLM's log: {' / '.join(self.logs[-3:])}" if self.logs else ""
            raise EmulationError(describe_failure(self.failure) + log)
        if self.hello is None:
            raise EmulationError("the firmware sent no message: is it the image for this board?")
        if self.end is None:
            raise EmulationError("the firmware stopped in the middle of its messages")


def read_report(received: bytes | Iterable[bytes]) -> tuple[FirmwareReport, ProtocolParser]:
    """The report in these bytes, and the parser with its counts of dropped lines.

    A `hello` starts the report anew: the board was reset, or the port held an earlier run's end.
    """
    parser = ProtocolParser()
    report = FirmwareReport()
    for message in _messages(parser, (received,) if isinstance(received, bytes) else received):
        if isinstance(message, Hello):
            report = FirmwareReport()
        report.add(message)
    return report, parser


def _messages(parser: ProtocolParser, received: Iterable[bytes]) -> Iterator[Message]:
    for part in received:
        yield from parser.feed(part)
    yield from parser.close()


def describe_failure(failure: Failure) -> str:
    """A sentence that says what went wrong and what to do."""
    match failure:
        case protocol.AllocationFailed():
            return (
                f"the arena is at least {failure.missing_bytes} bytes short: an allocation of "
                f"{failure.requested_bytes} bytes found {failure.available_bytes}"
            )
        case protocol.UnsupportedOperator():
            name = failure.name or f"with builtin code {failure.code}"
            return f"operator {name} is not in this firmware; TFLM would refuse the model"
        case protocol.StackOverflow():
            return (
                f"the stack of {failure.capacity_bytes} bytes overflowed (stack pointer "
                f"{failure.sp:#010x}); build the firmware with a larger stack"
            )
        case protocol.Fault():
            return (
                f"fault at pc {failure.pc:#010x}, lr {failure.lr:#010x} (CFSR {failure.cfsr:#010x}"
                f", BFAR {failure.bfar:#010x}, MMFAR {failure.mmfar:#010x})"
            )
        case protocol.BlobDamaged():
            return _describe_damage(failure)
        case protocol.Failed():
            return _REASONS.get(failure.reason, "the firmware failed: {reason} ({value})").format(
                reason=failure.reason, value=failure.value
            )


def _describe_damage(damage: protocol.BlobDamaged) -> str:
    kind = {b"MODL": "model", b"INPT": "input"}.get(damage.magic.to_bytes(4, "little"), "blob")
    if damage.payload_bytes > damage.room_bytes:
        return (
            f"the {kind} of {damage.payload_bytes} bytes exceeds the {damage.room_bytes} bytes of "
            "flash behind the code"
        )
    cut = (
        f"; its last {damage.blank_tail_bytes} bytes are blank: it is cut off"
        if damage.blank_tail_bytes > 16
        else ""
    )
    return f"the {kind} in flash has a wrong checksum{cut}; write the flash again"


_REASONS = {
    "model_missing": "no model in flash behind the firmware",
    "offline_plan": "the model's offline plan has {value} offsets, not one for each tensor",
    "schema_version": "the model has schema version {value}; TFLM reads version 3",
    "arena_exceeds_ram": "the arena asked for exceeds RAM; {value} bytes are left for it",
    "arena_in_ram": "the arena at address {value} overlaps the program's RAM",
    "arena_count": "the arenas' blob has {value} bytes, more than two arenas take",
    "layer_place": "place {value} of those to send lies outside the arena",
    "two_arenas": "this TFLM takes one arena only",
    "ram_full": "RAM is full before the arena: {value} bytes more were wanted",
    "allocate_tensors": "TFLM refuses the model: AllocateTensors returned {value}",
    "invoke": "Invoke returned {value}",
    "input_size": "an input of {value} bytes does not fit the model's inputs",
    "input_type": "the model's input has type {value}, for which no input can be made; give one",
}
