"""The one family of errors that this package raises on purpose.

::

    PredictorError              exit code 1   something failed
    ├── ModelError              exit code 1   the file is not a model that can be analysed
    │   ├── RefusedError        exit code 1   TFLM refuses the model (AllocateTensors fails)
    │   └── LinkedTflmError     exit code 1   the TFLM of a firmware refuses the model or fails
    ├── MissingDependencyError  exit code 1   an optional tool or package is not installed
    ├── EmulationError          exit code 1   emulated firmware could not be run to its end
    │   ├── FirmwareFaultError  exit code 1   the firmware did what hardware would trap
    │   ├── FlashOverflowError  exit code 1   program and model exceed the board's flash
    │   └── PlatformError       exit code 1   a platform file is malformed or contradicts its board
    ├── BoardRunError           exit code 1   a physical board did not do what it should
    ├── OutputError             exit code 1   a result could not be written
    ├── UnprovedError           exit code 1   two models could not be shown to be equal
    └── UsageError              exit code 2   the request itself is wrong
        ├── BoardError          exit code 2   unknown or malformed board
        ├── MeasurementError    exit code 2   measurements are malformed or cannot be pooled
        └── RevisionError       exit code 2   unknown TFLM revision or kernel set

Each message says what is wrong, where, and what to do about it. The exit code of a model that
is fine but does not fit is 3; that is a verdict, not an error, and is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from predictor.escapes import printable

_MOST_REFUSALS = 12
"""Further refused operators that a message lists."""

EXIT_FITS = 0
EXIT_DOES_NOT_FIT = 3
EXIT_INTERRUPTED = 130


class PredictorError(Exception):
    """Base of all errors of this package; ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class ModelError(PredictorError):
    """The file is not a TensorFlow Lite model that can be analysed.

    The message is one line, whatever names the file holds.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class RefusedError(ModelError):
    """TFLM refuses this model: ``AllocateTensors`` would return an error.

    Args:
        reason: what TFLM's check demands, in words.
        operator: name of the operator whose Init or Prepare fails, if it is one operator.
        operator_index: its index within its subgraph.
        subgraph_index: the subgraph it stands in.
        advice: what to do about it, empty where nothing is known.
        more: further operators that it refuses.
        rest: the operators that it would prepare, a ``memory.prepared.PreparedGraph``; None where
            it looks at none.
    """

    def __init__(
        self,
        reason: str,
        operator: str | None = None,
        operator_index: int | None = None,
        subgraph_index: int = 0,
        advice: str = "",
        more: Sequence[RefusedError] = (),
        rest: object = None,
    ) -> None:
        self.advice = advice
        self.rest = rest
        self.more = tuple(more)
        self.reason = printable(reason)
        self.operator = None if operator is None else printable(operator)
        self.operator_index = operator_index
        self.subgraph_index = subgraph_index
        where = ""
        if operator is not None:
            where = f"operator {operator_index} ({self.operator})"
            if subgraph_index:
                where += f" of subgraph {subgraph_index}"
            where += ": "
        self.words = f"{where}{reason}" + (f" ({advice})" if advice else "")
        listed = [self.words, *(other.words for other in self.more[:_MOST_REFUSALS])]
        if len(self.more) > _MOST_REFUSALS:
            listed.append(f"and {len(self.more) - _MOST_REFUSALS} more operators")
        super().__init__(f"TFLM refuses this model: {'; '.join(listed)}")


class LinkedTflmError(ModelError):
    """The TFLM that a firmware links refuses the model, or fails when it runs.

    Args:
        reason: what it refuses.
        tflm: which TFLM that is, with its kernels.
        remedy: what runs the model instead.
    """

    def __init__(self, reason: str, tflm: str, remedy: str) -> None:
        self.reason = reason
        self.tflm = tflm
        super().__init__(f"{reason}; the firmware links {tflm}; {remedy}")


class MissingDependencyError(PredictorError):
    """An optional tool or package is missing; the message holds the command that installs it."""


class EmulationError(PredictorError):
    """Firmware could not be loaded or run to its end in an emulator."""


class FirmwareFaultError(EmulationError):
    """The firmware did what the hardware would trap; the message says where.

    Args:
        fault: the trap with its place, an ``emulation.machine.Fault``.
    """

    def __init__(self, fault: object) -> None:
        self.fault = fault
        super().__init__(str(fault))


class FlashOverflowError(EmulationError):
    """Program and model take more flash than the board has."""


class PlatformError(EmulationError):
    """A platform file (``.repl``) is malformed, incomplete or contradicts its board."""


class BoardRunError(PredictorError):
    """A physical board, its probe or an instrument did not do what it should."""


class OutputError(PredictorError):
    """A result could not be written."""


class UnprovedError(PredictorError):
    """Two models could not be shown to compute the same; the message says where they part."""


class UsageError(PredictorError):
    """The request itself is wrong: an unknown name, a bad value, contradicting options."""

    exit_code: ClassVar[int] = 2


class BoardError(UsageError):
    """The board is unknown or its description is malformed."""


class MeasurementError(UsageError):
    """Measurements are malformed, in a wrong unit, repeated, or do not belong together."""


class RevisionError(UsageError):
    """The TFLM revision or kernel set is unknown."""
