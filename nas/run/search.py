"""A whole search: phases, checkpoints and the choice of the network."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nas.cost.constraints import Budget
from nas.cost.cost_model import CostModel
from nas.run.recipe import Recipe
from nas.run.run_folder import CHECKPOINT, CONFIG, METRICS, RESULT, WEIGHTS, RunFolder, versions
from nas.space.backbones import build_supernet
from nas.space.supernet import Supernet
from nas.tasks.dataset import Dataset
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from nas.training.metrics import quality
from nas.training.model import SupernetModel, inherit
from nas.training.phases import PHASES, Phase
from nas.training.selection import best, candidates
from nas.training.trainer import (
    SearchTrainer,
    WeightTrainer,
    logits_of,
    restore_arrays,
    run_epoch,
    search_epoch,
    split_indices,
    state_arrays,
)
from predictor.errors import UsageError

STRATEGIES = ("none", "mirrored", "multiworker", "tpu")
CALIBRATION_BATCH = 256
JUDGING_BATCH = 512
Progress = Callable[[str, int, int, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Request:
    """What a run searches for. ``memory`` names the memory model of :mod:`nas.cost.cost_model`."""

    recipe: Recipe
    budget: Budget
    seed: int = 0
    memory: str = "liveness"
    strategy: str = "none"

    def config(self) -> dict[str, Any]:
        """The JSON form, which a run folder keeps."""
        options, budget = asdict(self.budget.options), self.budget
        return {
            "task": self.recipe.task,
            "preset": self.recipe.preset,
            "recipe": asdict(self.recipe),
            "board": budget.board.name,
            "options": options,
            "max_arena_bytes": budget.max_arena_bytes,
            "max_flash_bytes": budget.max_flash_bytes,
            "max_ops": budget.max_ops,
            "max_latency_s": budget.max_latency_s,
            "seed": self.seed,
            "memory": self.memory,
            "strategy": self.strategy,
        }


def make_strategy(name: str) -> tf.distribute.Strategy:
    """TensorFlow's strategy for one or more accelerators.

    Raises:
        UsageError: unknown name, or no such accelerator.
    """
    try:
        if name == "mirrored":
            return tf.distribute.MirroredStrategy()
        if name == "multiworker":
            return tf.distribute.MultiWorkerMirroredStrategy()
        if name == "tpu":
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UsageError(f"strategy {name!r} does not work here: {error}") from error
    if name != "none":
        raise UsageError(f"unknown strategy {name!r}; known: {', '.join(STRATEGIES)}")
    return tf.distribute.get_strategy()


def make_deterministic(threads: int) -> None:
    """Makes TensorFlow repeat itself to the bit; threads cannot change once it has started."""
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(0)
    if threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            return


class Search:
    """A search that can stop after each epoch and go on later.

    Args:
        folder: of the run; a checkpoint in it is gone on from if its configuration is the same.

    Raises:
        UsageError: the folder holds another run, or the recipe does not suit the data.
    """

    def __init__(
        self, request: Request, data: Dataset, folder: Path, progress: Progress | None = None
    ) -> None:
        self.request, self.data = request, data
        self.run = RunFolder(folder)
        self.progress = progress or (lambda *_: None)
        self.training = request.recipe.training
        self.supernet = build_supernet(request.recipe.backbone, data.input_shape, len(data.classes))
        self.cost = CostModel(
            self.supernet, request.budget.board, request.budget.options, request.memory
        )
        self.strategy = make_strategy(request.strategy)
        self.rows = 0
        self.decisions: dict[str, int] = {}
        self.trainers: dict[Phase, WeightTrainer] = {}
        self._indices = np.arange(len(data.train_x))
        self._open_folder()
        with self.strategy.scope():
            self.model = self._make_model(self.supernet)
            self._calibrate(self.model, self._uniform())
            self.searcher = SearchTrainer(self.model, self.training, self.cost, request.budget)
        self.trainers |= {Phase.WARMUP: self.searcher, Phase.SEARCH: self.searcher}

    @property
    def network(self) -> SupernetModel:
        """The network that was chosen, as far as it is trained."""
        return self._trainer(Phase.FINETUNE).model

    def overview(self) -> str:
        """The search space in one line: its size, and what its widest network takes."""
        nodes = self.supernet.nodes
        networks = math.prod(len(node) for node in nodes.values())
        widest = self.cost.exact_of(self.supernet.widest())
        return (
            f"{len(nodes)} decisions, {networks:.1e} networks; the widest takes {widest.ops:,} "
            f"ops, {widest.model_bytes:,} bytes of file, {widest.arena_bytes:,} bytes of arena"
        )

    def result(self) -> dict[str, Any]:
        """Runs what is left of the search and returns its result, which the folder keeps."""
        start = self._resume()
        epochs = self._epochs()
        for phase in PHASES[PHASES.index(start[0]) :]:
            for epoch in range(start[1] if phase == start[0] else 0, epochs[phase]):
                row = self._epoch(phase, epoch, epochs[phase])
                self._record(phase, epoch, epochs[phase], row)
            if phase == Phase.SEARCH and not self.decisions:
                self._choose()
        return self._finish()

    def _epochs(self) -> dict[Phase, int]:
        training = self.training
        teaches = training.distillation > 0 and training.teacher_epochs > 0
        return {
            Phase.TEACHER: training.teacher_epochs if teaches else 0,
            Phase.WARMUP: training.warmup_epochs,
            Phase.SEARCH: training.search_epochs,
            Phase.FINETUNE: training.finetune_epochs,
        }

    def _open_folder(self) -> None:
        config = self.request.config()
        if self.run.has(CONFIG):
            known = self.run.read_json(CONFIG)
            if known.get("config") != json.loads(json.dumps(config)):
                raise UsageError(
                    f"{self.run.path} holds another run; give another --out or remove it"
                )
            return
        if self.run.has(METRICS):
            raise UsageError(f"{self.run.path} holds metrics of an unknown run; remove it")
        self.run.write_json(
            CONFIG,
            {
                "config": config,
                "versions": versions(),
                "recipe_sha256": hashlib.sha256(
                    json.dumps(config["recipe"], sort_keys=True).encode()
                ).hexdigest(),
            },
        )

    def _uniform(self) -> dict[str, Any]:
        return {
            name: tf.constant(np.full(len(node), 1 / len(node), np.float32))
            for name, node in self.supernet.nodes.items()
        }

    def _make_model(self, network: Supernet) -> SupernetModel:
        compute = tf.bfloat16 if self.training.mixed_precision else tf.float32
        return SupernetModel(network, self.request.seed, compute)

    def _calibrate(self, model: SupernetModel, p: Any = None) -> None:
        model.calibrate(tf.constant(self.data.train_x[:CALIBRATION_BATCH]), p)

    def _trainer(self, phase: Phase) -> WeightTrainer:
        """The trainer of a phase, made when it is first asked for."""
        if phase not in self.trainers:
            is_teacher = phase == Phase.TEACHER
            decisions = self.supernet.widest() if is_teacher else self.decisions
            network = self.supernet.fixed(decisions)
            source = None if is_teacher else self.model
            self.trainers[phase] = self._network_trainer(network, source)
        return self.trainers[phase]

    def _network_trainer(
        self, network: Supernet, source: SupernetModel | None = None
    ) -> WeightTrainer:
        with self.strategy.scope():
            model = self._make_model(network)
            if source is not None:
                inherit(model, source)
            self._calibrate(model)
            teacher = None if source is None else self.trainers.get(Phase.TEACHER)
            taught_by = None if teacher is None else teacher.model
            return WeightTrainer(model, self.training, teacher=taught_by)

    def _epoch(self, phase: Phase, epoch: int, epochs: int) -> dict[str, Any]:
        request, training = self.request, self.training
        if phase == Phase.SEARCH:
            row: dict[str, Any] = search_epoch(
                self.searcher, self.data, epoch, epochs, request.seed, self.strategy
            )
            row |= self._search_state()
            return row
        loss = run_epoch(
            self._trainer(phase),
            self.data,
            self._indices,
            epoch,
            epochs,
            phase,
            request.seed,
            self.strategy,
            training.initial_temperature,
        )
        return {"loss": loss}

    def _search_state(self) -> dict[str, Any]:
        """What reports plot: expected and exact cost, limits, multipliers, choices."""
        searcher = self.searcher
        exact = searcher.anchor()
        decisions = searcher.decisions()
        nodes = self.supernet.nodes
        return {
            "expected": searcher.expected(),
            "argmax": exact.quantities(),
            "limits": searcher.limits,
            "multipliers": dict(searcher.lagrangian.multipliers),
            "choices": {name: nodes[name].labels[option] for name, option in decisions.items()},
        }

    def _choose(self) -> None:
        budget, cost = self.request.budget, self.cost

        def excess(decisions: Any) -> float:
            return budget.excess(cost.exact_of(decisions))

        training, seed = self.training, self.request.seed
        logits = self.searcher.logit_values()
        found = candidates(logits, self.supernet, excess, training.candidates, seed)
        _, judged = split_indices(len(self.data.train_x), training, seed)
        judged = judged[:JUDGING_BATCH]
        y = np.eye(len(self.data.classes), dtype=np.float32)[self.data.train_y[judged]]
        x = tf.constant(self.data.train_x[judged])
        self.decisions, _ = best(self.model, found, x, tf.constant(y))

    def _record(self, phase: Phase, epoch: int, epochs: int, row: dict[str, Any]) -> None:
        self.run.append_metrics({"phase": phase.title, "epoch": epoch, **row})
        self.rows += 1
        if phase == Phase.SEARCH and epoch == epochs - 1:
            self._choose()
        arrays = state_arrays(self.searcher, Phase.SEARCH.title)
        own = [kind for kind in (Phase.TEACHER, Phase.FINETUNE) if kind in self.trainers]
        for kind in own:
            arrays |= state_arrays(self.trainers[kind], kind.title)
        state = {
            "phase": phase,
            "epoch": epoch + 1,
            "rows": self.rows,
            "decisions": self.decisions,
            "multipliers": self.searcher.lagrangian.multipliers,
            "trainers": [kind.title for kind in own],
        }
        save_checkpoint(self.run.path / CHECKPOINT, arrays, state)
        self.progress(phase.title, epoch + 1, epochs, row)

    def _resume(self) -> tuple[Phase, int]:
        """Restores the checkpoint, if there is one; returns phase and epoch to go on with."""
        if not self.run.has(CHECKPOINT):
            self.run.keep_metrics(0)
            return PHASES[0], 0
        arrays, state = load_checkpoint(self.run.path / CHECKPOINT)
        self.decisions = state["decisions"]
        restore_arrays(self.searcher, Phase.SEARCH.title, arrays)
        self.searcher.lagrangian.multipliers = dict(state["multipliers"])
        self.searcher.anchor()
        for kind in (Phase[title.upper()] for title in state["trainers"]):
            restore_arrays(self._trainer(kind), kind.title, arrays)
        self.rows = state["rows"]
        self.run.keep_metrics(self.rows)
        return Phase(state["phase"]), state["epoch"]

    def _finish(self) -> dict[str, Any]:
        model, budget = self.network, self.request.budget
        exact = self.cost.exact_of(self.decisions)
        binding = budget.binding(exact)
        nodes = self.supernet.nodes
        result = {
            "input_shape": self.data.input_shape,
            "classes": len(self.data.classes),
            "decisions": self.decisions,
            "choices": {n: nodes[n].labels[o] for n, o in self.decisions.items()},
            "fits": budget.fits(exact),
            "cost": exact.quantities() | {"flash_bytes": exact.flash_bytes},
            "limits": budget.limits(exact),
            "binding": {"quantity": binding.quantity, "share": binding.share},
            "metric": "auc" if self.data.test_anomalous is not None else "accuracy",
            "quality": quality(logits_of(model, self.data.test_x), self.data),
        }
        arrays = {f"{i}": np.asarray(v) for i, v in enumerate(model.variables)}
        save_checkpoint(self.run.path / WEIGHTS, arrays, {"decisions": self.decisions})
        self.run.write_json(RESULT, result)
        return result
