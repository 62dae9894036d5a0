"""A stand-in for Renode: its monitor's commands, answered by the in-process machine.

It knows exactly the commands that this project's scripts, robot suite and driver use, in the forms
that Renode 1.16 takes, and refuses any other. What it does otherwise than the in-process machine,
it does as Renode does: ``test_stand_in.py`` has a test for each such behaviour. So it proves
dialogue, scripts and suite against real firmware; that Renode's own models agree takes a real
Renode (``pytest -m renode``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from predictor.emulation.platform.description import Platform, parse_platform, read_platform
from predictor.emulation.platform.renode_classes import check_classes
from predictor.errors import PredictorError
from predictor.firmware.elf_image import ElfImage
from tests.emulation.renode.permissive import PermissiveMachine

MACRO_QUOTES = '"""'
PATH = r"@?((?:\\ |\S)+)"
"""Spaces in paths stand behind backslashes."""


class MonitorError(Exception):
    """What the monitor answers to a command that it cannot execute.

    Args:
        message: the complaint.
        printed: what commands before it on the same line have printed.
    """

    def __init__(self, message: str, printed: str = "") -> None:
        super().__init__(message)
        self.printed = printed


class Monitor:
    """State of one emulation with one machine."""

    def __init__(self) -> None:
        self._seed = 0xC0FFEE
        self.reset()

    def reset(self) -> None:
        """No machine, no variables. The seed is of the process."""
        self.variables: dict[str, str] = {}
        self.machine: PermissiveMachine | None = None
        self.prompt = "(monitor)"
        self._platform: Platform | None = None
        self._uses_sysbus = False
        self._uart_file: Path | None = None

    def execute(self, command: str) -> str:
        """What the commands of a line print; each output ends in a newline.

        Raises:
            MonitorError: no such command, or not in this state. The rest of the line is left out.
        """
        printed = ""
        for single in _SEPARATOR.split(command):
            try:
                text = self._execute(self._substituted(single.strip()))
            except (MonitorError, PredictorError) as error:
                message = f"There was an error executing command '{single.strip()}': \n{error}"
                raise MonitorError(message, printed) from error
            printed += f"{text}\n" if text else ""
        return printed

    def _execute(self, command: str) -> str:
        if not command:
            return ""
        for pattern, method in _COMMANDS:
            if found := re.fullmatch(pattern, command):
                arguments = [(group or "").replace("\\ ", " ") for group in found.groups()]
                return method(self, *arguments) or ""
        raise MonitorError(f"No such command or device: {command.split()[0]}")

    def _substituted(self, command: str) -> str:
        """Variables and commands in backticks replaced by their values."""
        command = re.sub(r"`(.*?)`", lambda found: self.execute(found[1]).strip(), command)
        if re.match(r"\$\w+\??=|runMacro ", command):
            return command

        def value(found: re.Match[str]) -> str:
            if found[1] not in self.variables:
                raise MonitorError(f"No such variable: ${found[1]}")
            return self.variables[found[1]]

        return re.sub(r"\$(\w+)", value, command)

    def set_variable(self, name: str, default: str, value: str) -> None:
        if not default or name not in self.variables:
            self.variables[name] = value.replace(" ", "\\ ")

    def include(self, path: str) -> None:
        """Runs a script; macros span lines up to the closing quotes."""
        script = Path(path.removeprefix("@"))
        if not script.is_file():
            raise MonitorError(f"Could not find file {script}")
        outer = self.variables.get("ORIGIN")
        self.variables["ORIGIN"] = str(script.parent).replace(" ", "\\ ")
        lines = iter(script.read_text().splitlines())
        for line in lines:
            if not line.strip() or line.startswith((":", "#")):
                continue
            if found := re.fullmatch(r"macro (\w+)", line.strip()):
                assert next(lines).strip() == MACRO_QUOTES
                body = list(iter(lambda: next(lines).strip(), MACRO_QUOTES))
                self.variables[found[1]] = "\n".join(body)
            else:
                self.execute(line)
        if outer is not None:
            self.variables["ORIGIN"] = outer

    def run_macro(self, name: str) -> None:
        for line in self.variables[name].splitlines():
            self.execute(line)

    def create_machine(self, name: str) -> None:
        if self.prompt != "(monitor)":
            raise MonitorError(f"Could not create {name}: there is a machine")
        self.prompt = f"({name})"

    def load_platform(self, path: str) -> None:
        self._platform = read_platform(Path(path))
        check_classes(self._platform)
        self.machine = PermissiveMachine(self._platform)

    def load_elf(self, path: str) -> None:
        self._machine.load_elf(path)
        self._image = ElfImage(path)

    def load_binary(self, path: str, address: str) -> None:
        self._machine.load_binary(Path(path).read_bytes(), int(address, 0))

    def symbol_address(self, name: str) -> str:
        return f"0x{self._machine.symbol(name):08X}"

    def vector_table(self, prefix: str, address: str) -> None:
        if not prefix and not self._uses_sysbus:
            raise MonitorError("No such command or device: cpu")
        if int(address, 0) != self._image.vectors.load_address:
            raise MonitorError(f"Could not start from {address}: no vectors there")

    def use_sysbus(self) -> None:
        self._uses_sysbus = True

    def show_analyzer(self, uart: str) -> None:
        self._require_uart(uart)

    def create_file_backend(self, uart: str, path: str) -> None:
        self._require_uart(uart)
        if Path(path).exists():
            raise MonitorError(f"Could not create {path}: it exists")
        self._uart_file = Path(path)
        self._uart_file.touch()

    def _require_uart(self, name: str) -> None:
        assert self._platform is not None
        peripheral = self._platform.peripherals.get(name)
        if peripheral is None or not peripheral.type.startswith("UART."):
            raise MonitorError(f"No such command or device: sysbus.{name}")

    def ignore(self) -> None:
        """Settings that make no difference here."""

    def set_seed(self, seed: str) -> None:
        self._seed = int(seed)

    def get_seed(self) -> str:
        return f"0x{self._seed:08X}"

    def run_for(self, seconds: str) -> None:
        self._machine.run_for(float(seconds))
        if self._uart_file is not None:
            self._uart_file.write_bytes(self._machine.uart)

    def program_counter(self) -> str:
        return f"0x{self._machine.program_counter:x}"

    def executed_instructions(self) -> str:
        return f"0x{self._machine.executed:016X}"

    def is_halted(self) -> str:
        return str(self._machine.is_halted)

    def unexpected(self, kind: str) -> str:
        return f"0x{self._machine.unexpected[kind]:08X}"

    def set_program_counter(self, address: str) -> None:
        self._machine.go_to(int(address, 0))

    def add_entries(self, text: str) -> None:
        """Memory in addition to that of the platform file."""
        (entry,) = parse_platform(f"cpu: CPU.CortexM @ sysbus\n{text}", "text").memories
        self._machine.add_memory(entry)

    def read_bytes(self, address: str, count: str) -> str:
        """As Renode prints any enumerable: ten a line."""
        content = self._machine.read_any(int(address, 0), int(count))
        lines = [content[start : start + 10] for start in range(0, len(content), 10)]
        rows = ["".join(f"0x{byte:02X}, " for byte in line) for line in lines]
        return "\n".join(["[", *rows, "]"])

    def read_double_word(self, address: str) -> str:
        word = self._machine.read_any(int(address, 0), 4)
        return f"0x{int.from_bytes(word, 'little'):08X}"

    @property
    def _machine(self) -> PermissiveMachine:
        if self.machine is None:
            raise MonitorError("No such command or device: sysbus")
        return self.machine


_SEPARATOR = re.compile(r";(?=(?:[^`\"]|`[^`]*`|\"[^\"]*\")*$)")
_COMMANDS: list[tuple[str, Callable[..., str | None]]] = [
    (rf"\$(\w+)(\??)={PATH}", Monitor.set_variable),
    (r"Clear", Monitor.reset),
    (r"numbersMode Hexadecimal", Monitor.ignore),
    (rf"(?:include|i) {PATH}", Monitor.include),
    (r"runMacro \$(\w+)", Monitor.run_macro),
    (r'mach create "(\w+)"', Monitor.create_machine),
    (rf"machine LoadPlatformDescription {PATH}", Monitor.load_platform),
    (rf"sysbus LoadELF {PATH}", Monitor.load_elf),
    (rf"sysbus LoadBinary {PATH} (0x[0-9A-Fa-f]+)", Monitor.load_binary),
    (r'sysbus GetSymbolAddress "(\w+)"', Monitor.symbol_address),
    (r"(sysbus\.)?cpu VectorTableOffset (0x[0-9A-Fa-f]+)", Monitor.vector_table),
    (r"using sysbus", Monitor.use_sysbus),
    (r"showAnalyzer sysbus\.(\w+)", Monitor.show_analyzer),
    (rf"sysbus\.(\w+) CreateFileBackend {PATH} true", Monitor.create_file_backend),
    (r"emulation SetGlobal(?:SerialExecution|AdvanceImmediately) true", Monitor.ignore),
    (r"emulation SetSeed (\d+)", Monitor.set_seed),
    (r"emulation GetSeed", Monitor.get_seed),
    (r'emulation RunFor "([0-9.]+)"', Monitor.run_for),
    (r"sysbus\.cpu PC", Monitor.program_counter),
    (r"sysbus\.cpu PC (0x[0-9A-Fa-f]+)", Monitor.set_program_counter),
    (r'machine LoadPlatformDescriptionFromString "([^"]*)"', Monitor.add_entries),
    (r"sysbus ReadBytes (0x[0-9A-Fa-f]+) (\d+)", Monitor.read_bytes),
    (r"sysbus\.cpu ExecutedInstructions", Monitor.executed_instructions),
    (r"sysbus\.cpu IsHalted", Monitor.is_halted),
    (r"sysbus Unexpected(Reads|Writes)", Monitor.unexpected),
    (r"sysbus ReadDoubleWord (0x[0-9A-Fa-f]+)", Monitor.read_double_word),
]
