"""What a static library says of itself: the symbols that it defines and the core that it is for."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from predictor.errors import MissingDependencyError, UsageError
from predictor.records import dataclass

_MAGIC = b"!<arch>\n"
_HEADER = struct.Struct("16s12s6s6s8s10s2s")
_INDEX_NAMES = (b"/", b"/SYM64/")
_ARCHITECTURES = {
    11: "armv6-m",
    12: "armv6-m",  # with system extensions, which compilers do not use
    10: "armv7-m",
    13: "armv7e-m",
    16: "armv8-m.base",
    17: "armv8-m.main",
    21: "armv8.1-m.main",
}
"""Values of Tag_CPU_arch for Cortex-M (Addenda to the ABI for the Arm Architecture, 3.3.5.2)."""
_FPUS = {0: "", 5: "fpv4", 6: "fpv4", 7: "fpv5", 8: "fpv5"}
"""Values of Tag_FP_arch: VFPv4 and VFPv4-D16, then those of Armv8."""
_SINGLE_PRECISION = 1
"""Value of Tag_ABI_HardFP_use."""
_ELF = b"\x7fELF"
_MACHINE = struct.Struct("<H")
_MACHINE_OFFSET = 18
_OTHER_MACHINES = {94: "xtensa", 243: "riscv"}
"""Values of ``e_machine``, for which there are no build attributes to read here."""


@dataclass(frozen=True, slots=True)
class StaticLibrary:
    """A static library for a microcontroller.

    Attributes:
        symbols: what it defines for the linker.
        architecture: of its instructions, as GCC names it; empty where it does not say.
        extensions: of the architecture, that it may use: "dsp", "mve".
        fpu: "fpv4", "fpv5", or empty where it uses none.
        is_double: whether it may use double precision of that unit.
        is_hard_float: whether floats are passed in registers of the unit.
    """

    path: Path
    symbols: frozenset[str]
    architecture: str
    extensions: frozenset[str]
    fpu: str
    is_double: bool
    is_hard_float: bool


def read_static_library(path: Path) -> StaticLibrary:
    """Reads index and build attributes of a static library.

    Raises:
        UsageError: it is none, is damaged, has no index, or holds no objects for Arm, Xtensa or
            RISC-V.
        MissingDependencyError: pyelftools is missing.
    """
    members = _read(path)
    attributes = next((found for _, data in members if (found := _attributes(data))), None)
    other = next((name for _, data in members if (name := _other_machine(data))), "")
    if attributes is None and not other:
        raise UsageError(f"{path} holds no objects for Arm, Xtensa or RISC-V")
    attributes = attributes or {}
    architecture = _ARCHITECTURES.get(attributes.get("TAG_CPU_ARCH", 0), other)
    fpu = _FPUS.get(attributes.get("TAG_FP_ARCH", 0), "")
    is_single = attributes.get("TAG_ABI_HARDFP_USE", 0) == _SINGLE_PRECISION
    return StaticLibrary(
        path=path,
        symbols=_indexed(members, path),
        architecture=architecture,
        extensions=frozenset(_extensions(architecture, attributes)),
        fpu=fpu,
        is_double=bool(fpu) and not is_single,
        is_hard_float=attributes.get("TAG_ABI_VFP_ARGS", 0) == 1,
    )


def defined_symbols(path: Path) -> frozenset[str]:
    """What a static library defines for the linker, by its index alone.

    Raises:
        UsageError: it is none, is damaged, or has no index.
    """
    return _indexed(_read(path), path)


_Members = list[tuple[bytes, memoryview]]


def _read(path: Path) -> _Members:
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return list(_members(content, path))


def _indexed(members: _Members, path: Path) -> frozenset[str]:
    index = next((data for name, data in members if name in _INDEX_NAMES), None)
    if index is None:
        raise UsageError(f"{path} has no index of symbols: run arm-none-eabi-ranlib on it")
    return frozenset(_symbols(bytes(index), members[0][0] == b"/SYM64/", path))


def _extensions(architecture: str, attributes: Mapping[str, int]) -> Iterator[str]:
    if architecture == "armv7e-m" or attributes.get("TAG_DSP_EXTENSION", 0):
        yield "dsp"
    if attributes.get("TAG_MVE_ARCH", 0):
        yield "mve"


def _members(content: memoryview, path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each member, in the order of the file."""
    if bytes(content[: len(_MAGIC)]) != _MAGIC:
        raise UsageError(f"{path} is no static library")
    position = len(_MAGIC)
    while position < len(content):
        header = content[position : position + _HEADER.size]
        if len(header) < _HEADER.size or bytes(header[-2:]) != b"`\n":
            raise UsageError(f"{path} is a damaged static library")
        name, *_, size, _ = _HEADER.unpack(header)
        position += _HEADER.size
        if not size.strip().isdigit() or position + int(size) > len(content):
            raise UsageError(f"{path} is a damaged static library")
        yield name.strip(), content[position : position + int(size)]
        position += int(size) + int(size) % 2  # members begin at even places


def _symbols(index: bytes, is_wide: bool, path: Path) -> list[str]:
    """Names in the index: their count, a place in the file for each, then the names."""
    form, width = (">Q", 8) if is_wide else (">I", 4)
    count = struct.unpack_from(form, index)[0] if len(index) >= width else 0
    names = index[width * (count + 1) :].split(b"\0")[:count]
    if len(names) < count:
        raise UsageError(f"{path} is a damaged static library")
    return [name.decode("ascii", "replace") for name in names]


def _other_machine(member: memoryview) -> str:
    if bytes(member[:4]) != _ELF or len(member) < _MACHINE_OFFSET + _MACHINE.size:
        return ""
    return _OTHER_MACHINES.get(_MACHINE.unpack_from(member, _MACHINE_OFFSET)[0], "")


def _attributes(member: memoryview) -> dict[str, int]:
    """Numeric build attributes of an object for Arm; empty for other members."""
    if bytes(member[:4]) != _ELF:
        return {}
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import ARMAttributesSection
    except ImportError:
        raise MissingDependencyError(
            "reading a static library needs pyelftools: pip install pyelftools"
        ) from None
    try:
        for section in ELFFile(BytesIO(member)).iter_sections():
            if isinstance(section, ARMAttributesSection):
                return {
                    attribute.tag: attribute.value
                    for subsection in section.iter_subsections()
                    for part in subsection.iter_subsubsections()
                    for attribute in part.iter_attributes()
                    if isinstance(attribute.value, int)
                }
    except (ELFError, ValueError, KeyError, AssertionError, struct.error):
        pass
    return {}
