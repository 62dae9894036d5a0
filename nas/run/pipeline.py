"""Searches from recipe to verified file, and what is done with finished runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cost.constraints import Budget
from nas.run.recipe import Recipe, Training, load_recipe
from nas.run.run_folder import CONFIG, MODEL, RESULT, VERIFICATION, WEIGHTS, RunFolder
from nas.tasks import find_task
from nas.tasks.dataset import Dataset
from predictor import Options, find_board
from predictor.errors import UsageError

if TYPE_CHECKING:
    from predictor.firmware.tflm_library import Tflm

Progress = Callable[[str, int, int, dict[str, Any]], None]


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
    assert search.finetuner is not None
    return _export_and_verify(run, search.finetuner.model, result, request, data)


def export_run(folder: Path) -> Path:
    """Writes a finished run's network as ``model.tflite``; returns its path."""
    from nas.export.export import export
    from nas.training.checkpoint import write_bytes

    config = RunFolder(folder).read_json(CONFIG)["config"]
    budget = _budget(config)
    plan_for = None
    if config["memory"] == "optimized":
        plan_for = budget.options.revision(budget.board.core.model)
    path = folder / MODEL
    write_bytes(path, export(trained_network(folder), plan_for))
    return path


def verify_run(
    folder: Path, data_path: Path | None, emulated: bool = True, tflm: Tflm | None = None
) -> dict[str, Any]:
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
    content = export(model, budget.options if request.memory == "optimized" else None)
    write_bytes(run.path / MODEL, content)
    table = verification(content, result, budget, data)
    run.write_json(VERIFICATION, table)
    return table


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
