"""Sizes of C structs on a target, from a list of their fields.

Revision files describe the structs that TFLM keeps in its arena field by field; their sizes
follow from the target's ABI, so one description serves 32-bit Arm and 64-bit hosts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from predictor.errors import RevisionError
from predictor.records import dataclass

_FIELD = re.compile(r"^(?P<type>[A-Za-z_][\w./]*)(?:\[(?P<count>\d+)\])?$")


@dataclass(frozen=True)
class Abi:
    """Sizes of the scalar types whose size depends on the target; alignment equals size.

    ``enum_bytes`` is 1 on Arm EABI, where enums are as short as their values allow.
    """

    name: str
    pointer_bytes: int
    enum_bytes: int

    def scalar_bytes(self) -> dict[str, int]:
        return {
            "ptr": self.pointer_bytes,
            "size": self.pointer_bytes,
            "enum": self.enum_bytes,
            "bool": 1,
            "i8": 1,
            "u8": 1,
            "i16": 2,
            "u16": 2,
            "i32": 4,
            "u32": 4,
            "f32": 4,
            "i64": 8,
            "u64": 8,
            "f64": 8,
        }


ARM_EABI = Abi("arm-eabi", pointer_bytes=4, enum_bytes=1)
X86_64 = Abi("x86_64", pointer_bytes=8, enum_bytes=4)
ABIS = {abi.name: abi for abi in (ARM_EABI, X86_64)}


class StructLayouts:
    """Sizes and alignments of named structs.

    A field is ``type`` or ``type[count]``, where the type is a scalar of :class:`Abi` or another
    struct. Later mappings win over earlier ones, so kernel sets can replace common structs.
    """

    def __init__(self, abi: Abi, *layers: Mapping[str, Sequence[str]]) -> None:
        self.abi = abi
        self._fields: dict[str, Sequence[str]] = {}
        for layer in layers:
            self._fields.update(layer)
        self._known: dict[str, tuple[int, int]] = {
            name: (size, size) for name, size in abi.scalar_bytes().items()
        }
        self.size_of: Callable[[str], int] = _Sizes(self).__getitem__
        """Bytes of a type, its tail padding included; raises as :meth:`layout`."""

    def replaced(self, structs: Mapping[str, Sequence[str]]) -> StructLayouts:
        """A copy in which some structs have other fields, as in builds with other options."""
        return StructLayouts(self.abi, self._fields, structs)

    def align_of(self, name: str) -> int:
        return self.layout(name)[1]

    def layout(self, name: str) -> tuple[int, int]:
        """(size, alignment) of a type in bytes.

        Raises:
            RevisionError: the revision does not describe the type.
        """
        known = self._known.get(name)
        if known is not None:
            return known
        fields = self._fields.get(name)
        if fields is None:
            raise RevisionError(f"this TFLM revision does not describe the struct {name!r}")
        offset, struct_alignment = 0, 1
        for field in fields:
            match = _FIELD.match(field)
            if match is None:
                raise RevisionError(f"struct {name!r} has a malformed field {field!r}")
            size, alignment = self.layout(match["type"])
            offset = -(-offset // alignment) * alignment + size * int(match["count"] or 1)
            struct_alignment = max(struct_alignment, alignment)
        # An empty C++ object has one byte.
        size = max(1, -(-offset // struct_alignment) * struct_alignment)
        self._known[name] = (size, struct_alignment)
        return size, struct_alignment


class _Sizes(dict[str, int]):
    """Sizes of the types that were asked for, of which kernels ask over and over."""

    def __init__(self, layouts: StructLayouts) -> None:
        super().__init__()
        self._layouts = layouts

    def __missing__(self, name: str) -> int:
        self[name] = size = self._layouts.layout(name)[0]
        return size
