"""C++ symbols in readable form."""

from __future__ import annotations

import re

from predictor.records import dataclass

_PIECE = re.compile(r"(\d+)")


def readable_symbol(symbol: str) -> str:
    """The qualified name in a mangled C++ symbol, without arguments; other symbols unchanged.

    Knows plain and nested names of the Itanium ABI (5.1.2); template arguments become ``<>``,
    and what else stands in a name (operators, constructors' kinds) ends it.
    """
    match = re.match(r"_Z(N[KVr]*)?(L)?(?=\d)", symbol)
    if match is None:
        return symbol
    position, names = match.end(), list[str]()
    is_nested = match[1] is not None
    while piece := _PIECE.match(symbol, position):
        end = piece.end() + int(piece[1])
        if end > len(symbol):
            return symbol
        names.append(symbol[piece.end() : end])
        position = end
        if not is_nested:
            break
    if symbol[position : position + 1] == "I":
        names[-1] += "<>"
    elif is_nested and re.match(r"C[123]", symbol[position:]):
        names.append(names[-1])
    elif is_nested and re.match(r"D[012]", symbol[position:]):
        names.append("~" + names[-1])
    return "::".join("(anonymous)" if name == "_GLOBAL__N_1" else name for name in names)


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """A place in the code. ``file`` and ``line`` need debug information in the ELF file."""

    address: int
    symbol: str | None = None
    offset: int = 0
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        name = readable_symbol(self.symbol) if self.symbol else ""
        where = f"{name}+{self.offset:#x}" if name else "unknown code"
        source = f" ({self.file}:{self.line})" if self.file else ""
        return f"{where}{source} at {self.address:#010x}"
