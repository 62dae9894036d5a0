"""``predict boards new``: a board's description from what the command line says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click

from predictor import toml
from predictor.boards.board import Region, board_of_text
from predictor.boards.cmsis_pack import PackDevice, read_device
from predictor.boards.pyocd_targets import read_target
from predictor.console.options import BYTES
from predictor.console.output import emit
from predictor.console.paths import OUTPUT_PATH
from predictor.cores.core import NO_FPU, core_names, nearest_fpu
from predictor.errors import EXIT_FITS, UsageError
from predictor.files import write_file
from predictor.report.budgets import BYTE_UNITS, parse_quantity

_MEMORY = re.compile(r"(?:([^=:]+)=)?(0[xX][0-9A-Fa-f_]+|\d+):(.+)")
_CLOCK = re.compile(r"(\d+(?:\.\d+)?) ?([kM]?)Hz", re.IGNORECASE)
_HERTZ = {"": 1, "k": 1_000, "m": 1_000_000}
_MARK, _QUOTE = "given", '"'


@click.command(name="new")
@click.argument("file", type=OUTPUT_PATH)
@click.option("--pack", type=click.Path(path_type=Path), help="CMSIS-Pack to take the rest from.")
@click.option("--device", help="The device in the pack, e.g. STM32L476RG.")
@click.option("--pyocd", "target", metavar="TARGET", help="Take the memories of pyOCD's target.")
@click.option("--core", metavar="CORE", help="cortex-m4, or m4.")
@click.option("--clock", metavar="HZ", help="Clock of the core, e.g. 80MHz.")
@click.option("--flash", multiple=True, metavar="BASE:SIZE", help="E.g. 0x08000000:1MB.")
@click.option(
    "--ram",
    multiple=True,
    metavar="[NAME=]BASE:SIZE",
    help="E.g. dtcm=0x20000000:128KB; once for each memory for data.",
)
@click.option("--fpu", help="Floating-point unit, e.g. fpv5-d16, or none. Default: the usual one.")
@click.option("--wait-states", type=click.IntRange(0, 255), help="Of the flash at this clock.")
@click.option("--flash-interface", help="What stands before the flash, e.g. stm32l4.")
@click.option("--icache", type=BYTES, help="Instruction cache, e.g. 16KB.")
@click.option("--dcache", type=BYTES, help="Data cache.")
@click.option("--name", help="Name of the board. Default: that of the file.")
@click.option("--title", help="As reports print it. Default: the name.")
@click.option("--soc", help="The chip.")
@click.option("--source", help="Where the figures come from, e.g. 'reference manual RM0351'.")
def new(
    file: Path,
    pack: Path | None,
    device: str | None,
    target: str | None,
    core: str | None,
    clock: str | None,
    flash: tuple[str, ...],
    ram: tuple[str, ...],
    fpu: str | None,
    wait_states: int | None,
    flash_interface: str | None,
    icache: int | None,
    dcache: int | None,
    name: str | None,
    title: str | None,
    soc: str | None,
    source: str | None,
) -> int:
    """Write FILE, the description of a board, for --board.

    \b
    predict boards new l476.toml --core m4 --clock 80MHz --flash 0x08000000:1MB \\
      --ram sram1=0x20000000:96KB --ram sram2=0x10000000:32KB
    predict boards new l476.toml --pack Keil.STM32L4xx_DFP.pack --device STM32L476RG
    predict boards new l475.toml --pyocd stm32l475xg --core m4 --clock 80MHz
    """
    if file.exists():
        raise UsageError(f"{file} is there already; name another file")
    known = _known(pack, device, target)
    if known is not None:
        found, origin = known
        core, fpu = core or found.core, fpu or _pack_fpu(found)
        clock = clock or (f"{found.clock_hz}Hz" if found.clock_hz else None)
        flash, ram = flash or _of_pack(found, "flash"), ram or _of_pack(found, "sram")
        soc, source = soc or found.name, source or origin
    if not core or not clock or not flash or not ram:
        told = {"--core": core, "--clock": clock, "--flash": flash, "--ram": ram}
        lacking = ", ".join(name for name, value in told.items() if not value)
        raise UsageError(
            f"{lacking} must be given" + (f", {known[1]} does not say" if known else "")
        )
    mark = f"  # {_MARK}" if source else ""
    head = {"name": _text(name or file.stem), "title": title and _text(title)}
    about_core = {
        "name": _text(f"cortex-{core.lower().removeprefix('cortex-')}"),
        "fpu": fpu and _text(fpu),
        "clock_hz": _number(_hertz(clock)),
        "flash_wait_states": wait_states,
        "flash_interface": flash_interface and _text(flash_interface),
        "icache_bytes": icache and _number(icache),
        "dcache_bytes": dcache and _number(dcache),
    }
    lines = [
        *_keys({**head, "soc": soc and _text(soc)}, ""),
        "",
        "[core]",
        *_keys(about_core, mark),
    ]
    for kind, asked in (("flash", flash), ("sram", ram)):
        for index, item in enumerate(asked, 1):
            usual = kind if len(asked) == 1 else f"{kind}{index}"
            lines += ["", "[[regions]]", *_keys(_region(item, kind, usual), mark)]
    if source:
        lines += ["", "[sources]", f"{_MARK} = {_text(source)}"]
    text = "\n".join(lines) + "\n"
    board = board_of_text(text, str(file))
    write_file(file, text)
    emit(
        f"{file}: {board.title}, {board.core.name} at {board.core.clock_hz / 1e6:g} MHz, "
        f"{board.sram_bytes:,} B of RAM, {board.flash_bytes:,} B of flash\n"
        f"predict model.tflite --board {file}\n",
        None,
    )
    return EXIT_FITS


def _known(
    pack: Path | None, device: str | None, target: str | None
) -> tuple[PackDevice, str] | None:
    """A device of a pack or a target of pyOCD's, whichever is named, and where it is from."""
    if (pack is None) != (device is None):
        raise UsageError("--pack and --device go together")
    if pack is not None and target is not None:
        raise UsageError("name a pack or a target of pyOCD's, not both")
    if pack is not None and device is not None:
        return read_device(pack, device), f"CMSIS-Pack {pack.name}"
    if target is not None:
        return read_target(target), f"pyOCD's target {target.lower()}"
    return None


def _of_pack(device: PackDevice, kind: str) -> tuple[str, ...]:
    """The memories of a kind, as the command line takes them."""
    of_kind = (item for item in device.memories if item.kind == kind)
    return tuple(f"{item.name}={item.start}:{item.size_bytes}" for item in of_kind)


def _pack_fpu(device: PackDevice) -> str | None:
    """The unit of the pack's precision that the core comes with."""
    if not device.fpu or device.core not in core_names():
        return None
    return device.fpu if device.fpu == NO_FPU else nearest_fpu(device.core, f"fpv5-{device.fpu}")


def _keys(values: Mapping[str, object], mark: str) -> list[str]:
    """Lines of a table, without keys of which nothing is said; figures bear their source's mark."""
    return [
        f"{key} = {value}{'' if str(value).startswith(_QUOTE) else mark}"
        for key, value in values.items()
        if value is not None
    ]


def _region(asked: str, kind: str, usual: str) -> dict[str, object]:
    """A memory as it was asked for: its name, unless it has the usual one, base and size."""
    match = _MEMORY.fullmatch(asked)
    if match is None:
        raise UsageError(
            f"{toml.shown(asked)} is no memory; write its base and size, as in 0x20000000:96KB, "
            "and perhaps a name before them, as in sram1=0x20000000:96KB"
        )
    size_bytes = parse_quantity(match[3], BYTE_UNITS, f"size of {toml.shown(asked)}")
    region = Region(match[1] or usual, kind, int(match[2].replace("_", ""), 0), size_bytes)
    return {
        "name": _text(region.name),
        "kind": _text(region.kind),
        "base": f"0x{region.base >> 16:04X}_{region.base & 0xFFFF:04X}",
        "bytes": _number(region.size_bytes),
    }


def _hertz(text: str) -> int:
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--clock: {toml.shown(text)} is no clock; write a number and Hz or MHz")
    return round(float(match[1]) * _HERTZ[match[2].lower()])


def _number(value: int) -> str:
    return f"{value:_}"


def _text(value: str) -> str:
    """A string of TOML; what needs an escape is no name that a board can have."""
    if any(character in '"\\' or not character.isprintable() for character in value):
        raise UsageError(f"{toml.shown(value)} holds characters that a board's file must not")
    return f'"{value}"'
