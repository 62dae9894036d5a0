"""Searches from recipe to verified file, and what is done with finished runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cost.constraints import Budget
from nas.run.recipe import Recipe, Training, load_recipe
from nas.run.run_folder import CONFIG, MODEL, RESULT, VERIFICATION, WEIGHTS, RunFolder
from nas.tasks import find_task
from nas.tasks.dataset import Dataset
from predictor import Options, find_board
from predictor.errors import UsageError
from predictor.model.graph import Graph
from predictor.views import JsonObject

if TYPE_CHECKING:
    from predictor.firmware.tflm_library import Tflm

Progress = Callable[[str, int, int, Mapping[str, Any]], None]


def prepare_tensorflow(threads: int) -> None:
    """Quiets TensorFlow's start and makes it repeatable. To be called before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from nas.run.search import make_deterministic

    make_deterministic(threads)


def make_request(
    task: str,
    preset: str,
    budget: Budget,
    seed: int = 0,
    recipe_path: Path | None = None,
    memory: str = "liveness",
    strategy: str = "none",
) -> Any:
    """What to search for.

    Raises:
        UsageError: unknown task or preset, or a malformed recipe.
    """
    from nas.run.search import Request

    find_task(task)
    recipe = load_recipe(task, preset, recipe_path)
    return Request(recipe, budget, seed, memory, strategy)


def load_data(recipe: Recipe, seed: int, folder: Path | None) -> Dataset:
    """The data of a recipe's task."""
    return find_task(recipe.task).data(folder, seed, recipe.data)


def search(
    request: Any,
    data: Dataset,
    folder: Path,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Searches, exports and verifies; returns the verification's table.

    ``say`` gets a line about the search space before the search begins.
    """
    from nas.run.search import Search

    search = Search(request, data, folder, progress)
    say(search.overview())
    result = search.result()
    run = RunFolder(folder)
    if not result["fits"]:
        return {"fits": False, "closest": result}
    return _export_and_verify(run, search.network, result, request, data)


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        folder: of the run; it holds weights, figures, history and plots.
        model: the exported ``.tflite`` file, None where no network fits the budget.
        table: what was searched beside what is predicted; of a search without a network that fits,
            the closest one.
    """

    folder: Path
    model: Path | None
    table: JsonObject

    @property
    def fits(self) -> bool:
        return self.model is not None


def search_task(
    task: str,
    budget: Budget,
    folder: Path,
    *,
    preset: str = "small",
    recipe: Path | None = None,
    data: Path | None = None,
    seed: int = 0,
    memory: str = "liveness",
    threads: int = 2,
    progress: Progress | None = None,
) -> SearchResult:
    """Searches, finetunes, exports and verifies a network for a task under a budget.

    An interrupted search goes on when the same one is asked for with the same folder.

    Args:
        task: one of those that ``nas tasks`` lists.
        folder: of the run.
        preset: of the task's recipe: "smoke", "small" or "paper".
        recipe: a recipe file instead of the task's own.
        data: folder of a public data set, where the task needs one.
        memory: what the search reckons with: "liveness" (TFLM's memory), "paper", "optimized" or
            "streamed".
        threads: that TensorFlow computes with.
        progress: called with phase, epochs done, epochs in all and the figures of the last.

    Raises:
        UsageError: unknown task, preset or memory model, a malformed recipe, or a budget that no
            network can keep.
        MissingDependencyError: TensorFlow or the task's data are missing.
    """
    find_task(task)
    load_recipe(task, preset, recipe)
    prepare_tensorflow(threads)
    request = make_request(task, preset, budget, seed, recipe, memory)
    found = search(request, load_data(request.recipe, seed, data), folder, progress)
    if not found["fits"]:
        return SearchResult(folder, None, found["closest"])
    return SearchResult(folder, folder / MODEL, found)


def export_run(folder: Path) -> Path:
    """Writes a finished run's network as ``model.tflite``; returns its path."""
    from nas.export.export import export
    from nas.training.checkpoint import write_bytes

    config = RunFolder(folder).read_json(CONFIG)["config"]
    budget = _budget(config)
    path = folder / MODEL
    write_bytes(path, export(trained_network(folder), file_writer(budget, config["memory"])))
    return path


def verify_run(
    folder: Path, data_path: Path | None, emulated: bool = True, tflm: Tflm | None = None
) -> JsonObject:
    """Verifies a finished run's file; ``emulated``: in firmware on the emulated board too, which
    links ``tflm``, None for the packaged one."""
    from nas.export.verify import emulate, verification

    run = RunFolder(folder)
    config, result = run.read_json(CONFIG)["config"], run.read_json(RESULT)
    path = folder / MODEL
    if not path.is_file():
        raise UsageError(f"{folder} has no {MODEL}; run: nas export {folder}")
    data = load_data(_recipe(config), config["seed"], data_path)
    content, budget = path.read_bytes(), _budget(config)
    table = verification(content, result, budget, data)
    if emulated:
        table |= emulate(content, budget, tflm)
    run.write_json(VERIFICATION, table)
    return table


def trained_network(folder: Path) -> Any:
    """The model of a finished run with its weights."""
    from nas.space.backbones import build_supernet
    from nas.training.checkpoint import load_checkpoint
    from nas.training.model import SupernetModel

    run = RunFolder(folder)
    config, result = run.read_json(CONFIG)["config"], run.read_json(RESULT)
    arrays, _ = load_checkpoint(folder / WEIGHTS)
    recipe = _recipe(config)
    supernet = build_supernet(recipe.backbone, tuple(result["input_shape"]), result["classes"])
    model = SupernetModel(supernet.fixed(result["decisions"]))
    for position, variable in enumerate(model.variables):
        variable.assign(arrays[str(position)])
    return model


def _export_and_verify(
    run: RunFolder, model: Any, result: dict[str, Any], request: Any, data: Dataset
) -> dict[str, Any]:
    from nas.export.export import export
    from nas.export.verify import verification
    from nas.training.checkpoint import write_bytes

    budget = request.budget
    content = export(model, file_writer(budget, request.memory))
    write_bytes(run.path / MODEL, content)
    table = verification(content, result, budget, data)
    run.write_json(VERIFICATION, table)
    return table


def file_writer(budget: Budget, memory: str) -> Callable[[Graph], bytes]:
    """Makes files with the plan that a memory model of a search means."""
    from nas.cost.optimized import planned_file

    revision = budget.options.revision(budget.board.core.model)
    return lambda graph: planned_file(graph, revision, memory)


def _recipe(config: dict[str, Any]) -> Recipe:
    table = config["recipe"]
    return Recipe(
        table["task"],
        table["preset"],
        table["backbone"],
        Training(**table["training"]),
        table["data"],
    )


def _budget(config: dict[str, Any]) -> Budget:
    return Budget(
        find_board(config["board"]),
        Options(**config["options"]),
        config["max_arena_bytes"],
        config["max_flash_bytes"],
        config["max_ops"],
        config["max_latency_s"],
    )
