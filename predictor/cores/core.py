"""Processor cores and where they come from.

A core is a TOML file of this folder: what it executes, how GCC is told, what debuggers and
emulators call it. Nothing else in the package knows a core by name, so a core whose instructions
the kernels have a variant for takes no more than such a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from predictor import toml
from predictor.cores.pipeline import Pipeline
from predictor.errors import BoardError
from predictor.records import dataclass
from predictor.words import meant

DEFAULT_CORE = "cortex-m4"
NO_FPU = "none"
_FOLDER = Path(__file__).parent
_WHOLE = "whole"
"""Name of figures for chips that lack no extension."""
_Figures = TypeVar("_Figures")


@dataclass(frozen=True, slots=True)
class StandIn:
    """Instructions of whole models over those on the core that serves in a core's stead.

    Args:
        ratio: geometric mean.
        relative_sd: standard deviation of the logarithm.
        models: how many models were counted on both.
    """

    ratio: float
    relative_sd: float
    models: int


@dataclass(frozen=True, slots=True)
class CountSpread:
    """How far a core's own counts may be off, from whole models that its fit had not seen.

    Args:
        relative_sd: root mean square of the logarithm.
        models: how many models that were.
    """

    relative_sd: float
    models: int


@dataclass(frozen=True, slots=True)
class CodeStandIn:
    """Linked code over that predicted from the sizes on the core that serves in a core's stead.

    Args:
        ratio: geometric mean.
        error: how far single images may be from it, a fraction.
        images: how many were linked.
    """

    ratio: float
    error: float
    images: int


@dataclass(frozen=True, slots=True)
class Core:
    """A core as one chip has it.

    Args:
        architecture: "armv7e-m" and the like.
        extensions: instructions beyond the architecture's base: "dsp", "mve".
        fpu: its floating-point unit as GCC names it, "none" without one.
        cpuid: the register of that name.
        cycle_counter: "dwt", "locked dwt" where it takes no writes without its key, or "none".
        gcc_cpu: what follows GCC's ``-mcpu=``; another core's name (key ``gcc_name``) where
            common releases of GCC do not know this one's.
        program_march: what follows GCC's ``-march=`` for programs around TFLM's kernels, "" where
            nothing but ``-mcpu`` is needed.
        measured_as: names under which measured figures (code sizes, costs of loops) may stand: its
            own, then those of cores that serve in its stead, the most alike first.
        unicorn_model: constant of Unicorn's Python package, "" where Unicorn lacks the core.
        renode_type: ``cpuType`` in Renode's platform files.
        qemu_machine: a machine of QEMU whose core executes this one's code, "" where there is none.
        stand_in: how its counts compare with those of the last core of ``measured_as``, None where
            they are taken as they are.
        code_stand_in: the same for the size of code.
        count_spread: how far its own counts may be off, None for as far as usual.
        pipeline: how long its instructions take, None where that is not known.
        kernel_cycles: (kernel set, cycles an instruction) by ``pipeline`` over whole models, with
            memory that never waits.
    """

    name: str
    architecture: str
    extensions: frozenset[str]
    fpu: str
    cpuid: int
    cycle_counter: str
    gcc_cpu: str
    program_march: str
    measured_as: tuple[str, ...]
    unicorn_model: str
    renode_type: str
    qemu_machine: str
    stand_in: StandIn | None = None
    code_stand_in: CodeStandIn | None = None
    count_spread: CountSpread | None = None
    pipeline: Pipeline | None = None
    kernel_cycles: tuple[tuple[str, float], ...] = ()

    @property
    def compiler_flags(self) -> tuple[str, ...]:
        """What GCC needs to know of the core."""
        float_abi = "soft" if self.fpu == NO_FPU else "hard"
        return (f"-mcpu={self.gcc_cpu}", "-mthumb", f"-mfloat-abi={float_abi}")

    @property
    def program_flags(self) -> tuple[str, ...]:
        """The same for code that gains nothing from what only the core's newest kernels use."""
        if not self.program_march:
            return self.compiler_flags
        return (f"-march={self.program_march}", *self.compiler_flags[1:])

    @property
    def locks_cycle_counter(self) -> bool:
        return self.cycle_counter.startswith("locked")

    @property
    def has_fpv5(self) -> bool:
        """Whether its floating-point unit has the instructions that FPv5 added to FPv4."""
        return self.fpu.startswith("fpv5")


def core_names() -> tuple[str, ...]:
    """Names of all cores, sorted."""
    return tuple(sorted(_files()))


def find_core(
    name: str = DEFAULT_CORE, fpu: str | None = None, without: Collection[str] = ()
) -> Core:
    """A core by name.

    Args:
        fpu: the floating-point unit of the chip; None takes the usual one.
        without: optional extensions that the chip lacks.

    Raises:
        BoardError: no such core, or it does not come with or without that.
    """
    return _core(name, fpu, frozenset(without))


def nearest_fpu(name: str, fpu: str | None) -> str | None:
    """The floating-point unit of a core that comes nearest to one that other cores have.

    Boards are often described after another one. A unit that the core has, or that no core has,
    stays as it is.

    Raises:
        BoardError: no such core.
    """
    own: list[str] = list(_table(name)["fpu"])
    others = {unit for path in _files().values() for unit in _read(path)["fpu"]}
    if fpu is None or fpu in own or fpu not in others:
        return fpu
    _, _, kind = fpu.partition("-")
    same = [unit for unit in own if unit.endswith(f"-{kind}")]
    return (same or own)[0]


def extension_names(name: str) -> tuple[str, ...]:
    """Extensions of a core, whether all chips with it have them or not.

    Raises:
        BoardError: no such core.
    """
    return tuple(_table(name).get("extensions", {}))


@cache
def _core(name: str, fpu: str | None, without: frozenset[str]) -> Core:
    table = _table(name)
    units: Mapping[str, str] = table["fpu"]
    usual = next(iter(units))
    fpu = usual if fpu is None else fpu or NO_FPU
    if fpu not in units:
        raise BoardError(f"a {name} has no FPU {fpu!r}; known: {', '.join(units)}")
    extensions: Mapping[str, Any] = table.get("extensions", {})
    fixed = sorted(key for key in without if extensions.get(key, True) is True)
    if fixed:
        raise BoardError(f"a {name} cannot lack {', '.join(fixed)}")
    missing = "".join(extensions[key] for key in extensions if key in without)
    # Chips that are compiled for alike have the figures of the usual one.
    built = missing + units[fpu]
    own = (
        (name,) if built == units[usual] else (f"{name}{built}", *((name,) if not missing else ()))
    )
    emulators = table.get("emulators", {})
    counts, code = (table.get(f"stand_in_{kind}", {}) for kind in ("counts", "code"))
    # Cores that execute the same come first: of them those that lack the same. The last is another.
    *alike, other = [*table.get("stand_ins", ())] or [""]
    stand_ins = (*(f"{item}{missing}" for item in alike), *filter(None, [other]))
    return Core(
        name=name,
        architecture=table["architecture"],
        extensions=frozenset(extensions) - without,
        fpu=fpu,
        cpuid=table["cpuid"],
        cycle_counter=table["cycle_counter"],
        gcc_cpu=table.get("gcc_name", name) + built,
        program_march=table.get("program_march", ""),
        measured_as=(*own, *stand_ins),
        unicorn_model=emulators.get("unicorn", ""),
        renode_type=emulators.get("renode", ""),
        qemu_machine=emulators.get("qemu", ""),
        stand_in=_figures(StandIn, counts.get(missing or _WHOLE)),
        code_stand_in=_figures(CodeStandIn, code.get(_WHOLE)),
        count_spread=_figures(CountSpread, table.get("own_counts", {}).get(missing or _WHOLE)),
        pipeline=_figures(Pipeline, table.get("pipeline")),
        kernel_cycles=tuple(table.get("kernel_cycles", {}).items()),
    )


def _figures(kind: type[_Figures], found: Mapping[str, Any] | None) -> _Figures | None:
    return None if found is None else kind(**found)


def _table(name: str) -> dict[str, Any]:
    files = _files()
    if name not in files:
        raise BoardError(
            f"unknown core {name!r}: {meant(name, files)}known cores: {', '.join(sorted(files))}"
        )
    return _read(files[name])


def _files() -> dict[str, Path]:
    return {path.stem: path for path in _FOLDER.glob("*.toml")}


@cache
def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return toml.load(file)
