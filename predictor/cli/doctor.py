"""``predict doctor``: what is installed and usable, and what installs the rest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata, util
from pathlib import Path
from typing import Any

import click

from predictor import toml
from predictor.console.options import format_option
from predictor.console.output import emit, emit_text
from predictor.emulation.renode import python_package
from predictor.errors import PredictorError
from predictor.install import install_command
from predictor.records import dataclass

TOOLS = Path(__file__).parent / "tools.toml"
TIMEOUT_S = 60
"""Seconds after which a tool that does not answer counts as broken."""
_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")


@dataclass(frozen=True, slots=True)
class Tool:
    """What was found of a tool. ``state`` is "ok", "missing" or "broken", ``problem`` says why."""

    name: str
    state: str
    version: str
    purpose: str
    required: bool
    install: str
    problem: str = ""


@click.command(name="doctor", short_help="Say which tools are installed and usable.")
@format_option("text", "json")
def command(form: str) -> int:
    """Say which tools are installed and usable, and what installs those that are not.

    Only Python packages that predict itself needs are required; exit code 1 if one is not usable.
    """
    tools = examine(TOOLS)
    if form == "json":
        from predictor.report.json_report import SCHEMA_VERSION, dumps

        rows = [asdict(tool) for tool in tools]
        text = dumps({"schema_version": SCHEMA_VERSION, "python": _python(), "tools": rows}) + "\n"
    else:
        text = _text(tools)
    (emit_text if form == "text" else emit)(text, None)
    is_usable = all(tool.state == "ok" for tool in tools if tool.required)
    return 0 if is_usable else PredictorError.exit_code


def examine(path: Path) -> list[Tool]:
    """Looks for each tool of a file, several at a time: some take seconds to answer."""
    with path.open("rb") as file:
        entries = toml.load(file)["tools"]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(_examine, entries))


def _examine(entry: dict[str, Any]) -> Tool:
    find = _find_module if "python" in entry else _find_program
    state, version, problem = find(entry)
    return Tool(
        name=entry["name"],
        state=state,
        version=version,
        purpose=entry["purpose"],
        required=entry.get("required", False),
        install=install(entry),
        problem=problem,
    )


def install(entry: dict[str, Any]) -> str:
    """What installs a tool."""
    commands = [install_command(entry["extra"])] if "extra" in entry else []
    return " and ".join([*commands, *([entry["install"]] if "install" in entry else [])])


def _find_module(entry: dict[str, Any]) -> tuple[str, str, str]:
    module = entry["python"]
    if util.find_spec(module) is None:
        return "missing", "", ""
    try:
        version = metadata.version(entry["distribution"])
    except metadata.PackageNotFoundError:
        version = ""
    environment: dict[str, str] | None = {}
    if module == "pyrenode3":
        environment = python_package.environment()
        if environment is None:
            return "broken", version, "no Renode behind it: let PYRENODE_BIN name one"
    # In a process of its own: an import may take seconds, print, or end the interpreter.
    problem = _run([sys.executable, "-c", f"import {module}"], environment)[1]
    return ("broken" if problem else "ok"), version, problem


def _find_program(entry: dict[str, Any]) -> tuple[str, str, str]:
    path = shutil.which(entry["command"])
    if path is None:
        return "missing", "", ""
    printed, problem = _run([path, "--version"])
    match = _VERSION.search(printed)
    version = match[0] if match else ""
    least = entry.get("at_least", "")
    if not problem and _numbers(version) < _numbers(least):
        problem = f"too old: at least {least} is needed"
    return ("broken" if problem else "ok"), version, problem


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _run(arguments: list[str], environment: dict[str, str] | None = None) -> tuple[str, str]:
    """What a program prints, and why it failed if it did."""
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL, check=False, env={**os.environ, **(environment or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"no answer in {TIMEOUT_S} s"
    except OSError as error:
        return "", str(error.strerror)
    if done.returncode == 0:
        return done.stdout, ""
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return done.stdout, lines[-1]


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _text(tools: list[Tool]) -> str:
    width = max(len(tool.name) for tool in tools)
    lines = [f"{'ok':8} {'Python':{width}}  {_python():12} {sys.executable}"]
    for tool in tools:
        line = f"{tool.state:8} {tool.name:{width}}  {tool.version:12} {tool.purpose}"
        lines.append(line.rstrip())
        if tool.problem:
            lines.append(f"{'':8} {tool.problem}")
        if tool.state != "ok":
            lines.append(f"{'':8} install: {tool.install}")
    return "\n".join(lines) + "\n"
