"""Many searches: over budgets, seeds or both, here or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from predictor.errors import MissingDependencyError, UsageError
from predictor.install import install_command

Job = tuple[str, list[str]]
"""Name of the run's folder and arguments of ``nas search``."""


def jobs(
    arguments: list[str], option: str, values: tuple[str, ...], seeds: int, folder: Path
) -> list[Job]:
    """One job for each value of an option and each seed."""
    found = []
    for value in values or ("",):
        for seed in range(seeds):
            name = f"{option.lstrip('-')}_{value}_seed{seed}" if value else f"seed{seed}"
            limit = [option, value] if value else []
            found.append(
                (name, [*arguments, *limit, "--seed", str(seed), "--out", str(folder / name)])
            )
    return found


def run_local(work: list[Job]) -> Iterator[tuple[str, int]]:
    """Runs jobs one after the other, each in its own process; yields name and exit code."""
    import sys

    from predictor.processes import TiedProcess

    for name, arguments in work:
        command = [sys.executable, "-m", "nas.cli.main", "search", *arguments]
        search = TiedProcess(command)
        try:
            yield name, search.wait()
        finally:
            search.end()


def run_on_ray(work: list[Job], address: str) -> Iterator[tuple[str, int]]:
    """Runs jobs on a Ray cluster that shares the file system; yields them as they finish.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: the cluster does not answer.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"--ray needs Ray: {install_command('ray')}") from error
    try:
        ray.init(address=address)
    except (ConnectionError, ValueError) as error:
        raise UsageError(f"no Ray cluster at {address}: {error}") from error
    remote: Callable[..., Any] = ray.remote(_remote_search)
    names = {remote.remote(arguments): name for name, arguments in work}  # type: ignore[attr-defined]
    waiting = list(names)
    while waiting:
        done, waiting = ray.wait(waiting)
        for reference in done:
            yield names[reference], ray.get(reference)


def _remote_search(arguments: list[str]) -> int:
    from nas.cli.main import run

    return run(["search", *arguments])
