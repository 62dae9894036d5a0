"""What stands beside a board's core: serial port, pins, probe; tables of its file."""

from __future__ import annotations

from predictor.records import dataclass
from predictor.toml import Table

ADDRESS_SPACE = 1 << 32
_MOST_INTERRUPT = 495
"""ARMv7-M's interrupt controller has no more."""
_PIN = r"P([A-K])([0-9]|1[0-5])"


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of a port: ``PD8`` is pin 8 of port 3; port 0 is GPIOA."""

    port: int
    number: int

    @property
    def name(self) -> str:
        return f"P{chr(ord('A') + self.port)}{self.number}"


@dataclass(frozen=True, slots=True)
class Uart:
    """The serial port that firmware reports over.

    ``generation`` names its register layout; without it firmware runs in emulation only, and needs
    to know nothing of the port.
    """

    name: str
    base: int
    irq: int | None = None
    generation: str | None = None
    tx_pin: Pin | None = None
    alternate_function: int | None = None


@dataclass(frozen=True, slots=True)
class OpRate:
    """Operations per second by the paper's proxy, and its typical error."""

    ops_per_s: float
    relative_error: float


def read_uart(table: Table) -> Uart:
    """The ``uart`` table of a board's file."""
    return Uart(
        name=table.name("name"),
        base=table.whole("base", 0, ADDRESS_SPACE - 4),
        irq=table.optional("irq", table.whole, 0, _MOST_INTERRUPT),
        generation=table.optional("generation", table.name),
        tx_pin=_pin(table, "tx_pin") if "tx_pin" in table else None,
        alternate_function=table.optional("alternate_function", table.whole, 0, 15),
    )


def read_marker(table: Table) -> Pin:
    """The ``marker`` table: the pin that is high while a model runs."""
    return _pin(table, "pin")


def read_probe(table: Table) -> str:
    """The ``probe`` table: pyOCD's name of the chip."""
    return table.name("target")


def read_op_rate(table: Table) -> OpRate:
    """The ``op_proxy`` table."""
    return OpRate(table.number("ops_per_s", 1, 1e15), table.number("relative_error", 0, 100))


def _pin(table: Table, key: str) -> Pin:
    text = table.matching(key, _PIN, "a pin such as 'PD8'")
    return Pin(ord(text[1]) - ord("A"), int(text[2:]))
