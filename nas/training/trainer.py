"""Training of supernets and of the networks chosen from them.

A search goes through phases: ``teacher`` (only with distillation), ``warmup`` (weights only),
``search`` (weights and decisions in turns), then the network is chosen and ``finetune`` trains it.
Random numbers come from the seed and the epoch alone, so a resumed run repeats an uninterrupted
one to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from nas.cost.constraints import AugmentedLagrangian, Budget, penalty_term, positive
from nas.cost.cost_model import CostModel
from nas.cost.network_cost import QUANTITIES, ExactCost
from nas.run.recipe import Training
from nas.space import gumbel
from nas.tasks.dataset import Dataset
from nas.training.checkpoint import Arrays
from nas.training.discretize import argmax
from nas.training.distillation import cross_entropy, distilled, mixup
from nas.training.model import SupernetModel
from nas.training.phases import Phase
from nas.training.schedules import cosine, exponential

WEIGHT_SHARE = 0.75
"""Share of the training data that the weights see in alternating updates."""
EVALUATION_BATCH = 256
Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Progress = Callable[[str, int, int], None]


def batches(
    data: Dataset, indices: npt.NDArray[np.int64], training: Training, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """Whole batches of one epoch in a random order, augmented; the last part batch is left out."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(indices)
    size = min(training.batch, len(order))
    identity = np.eye(len(data.classes), dtype=np.float32)
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        x = data.train_x[chosen]
        if data.augment is not None:
            x = data.augment(x, chosen, rng)
        yield mixup(x, identity[data.train_y[chosen]], training.mixup, rng)


def logits_of(model: SupernetModel, x: npt.NDArray[np.float32], p: Any = None) -> Any:
    """Logits for many samples."""
    call = tf.function(
        lambda part: model(part, p, training=False), autograph=False, reduce_retracing=True
    )
    parts = [
        call(tf.constant(x[start : start + EVALUATION_BATCH])).numpy()
        for start in range(0, len(x), EVALUATION_BATCH)
    ]
    return np.concatenate(parts)


def make_optimizer(training: Training) -> Any:
    """The optimiser of the weights; the learning rate is set at each step."""
    if training.optimizer == "sgd":
        return keras.optimizers.SGD(training.learning_rate, momentum=0.9, nesterov=True)
    return keras.optimizers.Adam(training.learning_rate)


class WeightTrainer:
    """Trains the weights of a model, under soft decisions or none."""

    def __init__(
        self,
        model: SupernetModel,
        training: Training,
        logits: Mapping[str, Any] | None = None,
        teacher: SupernetModel | None = None,
    ) -> None:
        self.model, self.training = model, training
        self.logits = dict(logits or {})
        self.teacher = teacher
        self.optimizer = make_optimizer(training)
        self.variables = model.trainable_variables
        self.optimizer.build(self.variables)
        self._decayed = [v for v in self.variables if v.name == "kernel"]
        self.step = tf.function(self._step, autograph=False)

    def _step(self, x: Any, y: Any, temperature: Any, seed: Any) -> Any:
        """One update on a replica's share of a batch; returns the loss."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            p = gumbel.sample(self._tensors(), temperature, seed) if self.logits else None
            logits = self.model(x, p, training=True)
            if self.teacher is None:
                loss = cross_entropy(y, logits)
            else:
                taught = self.teacher(x, None, training=False)
                share, heat = self.training.distillation, self.training.distillation_temperature
                loss = distilled(y, logits, taught, share, heat)
            if self.training.weight_decay:
                squares = [tf.nn.l2_loss(tf.convert_to_tensor(v)) for v in self._decayed]
                loss += self.training.weight_decay * tf.add_n(squares)
            # The optimiser adds the replicas' gradients up.
            shared = loss / replicas
        self.optimizer.apply(tape.gradient(shared, self.variables), self.variables)
        return loss

    def _tensors(self) -> dict[str, Any]:
        return {name: tf.convert_to_tensor(value) for name, value in self.logits.items()}


class SearchTrainer(WeightTrainer):
    """Trains weights and decisions of a supernet in turns, under a budget."""

    def __init__(
        self, model: SupernetModel, training: Training, cost: CostModel, budget: Budget
    ) -> None:
        self.cost, self.budget = cost, budget
        logits = {
            name: keras.Variable(np.zeros(len(node), np.float32), name=f"logits_{name}")
            for name, node in cost.supernet.nodes.items()
        }
        super().__init__(model, training, logits)
        self.lagrangian = AugmentedLagrangian(training.penalty)
        self.architecture_optimizer = keras.optimizers.Adam(
            training.architecture_learning_rate, beta_1=0.5
        )
        self._choices = list(logits.values())
        self.architecture_optimizer.build(self._choices)
        self.decide = tf.function(self._decide, autograph=False)
        self.anchor()

    def anchor(self) -> ExactCost:
        """Costs the most probable network exactly and shifts the expectations to agree."""
        exact = self.cost.anchor(self.decisions())
        self.limits = self.budget.limits(exact)
        return exact

    def decisions(self) -> dict[str, int]:
        return argmax(self.logit_values())

    def logit_values(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.asarray(value) for name, value in self.logits.items()}

    def constraint_inputs(self) -> tuple[Any, Any, Any]:
        """Offsets, limits (infinite where there is none) and multipliers, for :meth:`decide`."""
        limits = [self.limits[name] for name in QUANTITIES]
        return (
            tf.constant(self.cost.offsets, tf.float32),
            tf.constant([np.inf if v is None else positive(v) for v in limits], tf.float32),
            tf.constant([self.lagrangian.multipliers[n] for n in QUANTITIES], tf.float32),
        )

    def expected(self) -> dict[str, float]:
        """Expected cost under the present probabilities."""
        values = self.cost.expected(gumbel.probabilities(self._tensors()))
        return {name: float(value) for name, value in values.items()}

    def _decide(
        self, x: Any, y: Any, temperature: Any, seed: Any, offsets: Any, limits: Any, slopes: Any
    ) -> Any:
        """One update of the decisions; returns the loss without constraints, and the costs."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            logits = self._tensors()
            p = gumbel.sample(logits, temperature, seed)
            loss = cross_entropy(y, self.model(x, p, training=True))
            costs = self.cost.expected(gumbel.probabilities(logits), tf.unstack(offsets))
            total = loss
            for position, name in enumerate(QUANTITIES):
                violation = costs[name] / limits[position] - 1.0
                total += penalty_term(violation, slopes[position], self.lagrangian.penalty)
            total /= replicas
        gradients = tape.gradient(total, self._choices)
        self.architecture_optimizer.apply(gradients, self._choices)
        return tf.stack([loss, *(costs[name] for name in QUANTITIES)])


def run_epoch(
    trainer: WeightTrainer,
    data: Dataset,
    indices: npt.NDArray[np.int64],
    epoch: int,
    epochs: int,
    phase: Phase,
    seed: int,
    strategy: tf.distribute.Strategy,
    temperature: float = 1.0,
) -> float:
    """One epoch of weight updates; returns the mean loss."""
    losses = []
    training = trainer.training
    steps = max(1, len(indices) // min(training.batch, len(indices)))
    for step, (x, y) in enumerate(batches(data, indices, training, (seed, phase, epoch))):
        rate = cosine(
            epoch * steps + step,
            epochs * steps,
            training.learning_rate,
            training.final_learning_rate,
        )
        trainer.optimizer.learning_rate.assign(rate)
        arguments = (tf.constant(temperature), step_seed(seed, phase, epoch, step))
        losses.append(replicated(strategy, trainer.step, (x, y), arguments))
    return float(np.mean(losses))


def search_epoch(
    trainer: SearchTrainer,
    data: Dataset,
    epoch: int,
    epochs: int,
    seed: int,
    strategy: tf.distribute.Strategy,
) -> dict[str, float]:
    """One epoch of weight and decision updates; returns losses and violations."""
    training = trainer.training
    temperature = exponential(
        epoch, epochs, training.initial_temperature, training.final_temperature
    )
    weights, choices = split_indices(len(data.train_x), training, seed)
    steps = max(1, len(weights) // min(training.batch, len(weights)))
    losses, decision_losses = [], []
    for step, (x, y) in enumerate(batches(data, weights, training, (seed, Phase.SEARCH, epoch))):
        rate = cosine(
            epoch * steps + step,
            epochs * steps,
            training.learning_rate,
            training.learning_rate * 0.1,
        )
        trainer.optimizer.learning_rate.assign(rate)
        arguments = (tf.constant(temperature), step_seed(seed, Phase.SEARCH, epoch, step))
        losses.append(replicated(strategy, trainer.step, (x, y), arguments))
        if training.architecture_updates == "joint":
            decision_losses.append(_decision_step(trainer, (x, y), arguments, strategy))
    if training.architecture_updates == "alternating":
        turns = batches(data, choices, training, (seed, Phase.DECISIONS, epoch))
        for step, batch in enumerate(turns):
            arguments = (tf.constant(temperature), step_seed(seed, Phase.DECISIONS, epoch, step))
            decision_losses.append(_decision_step(trainer, batch, arguments, strategy))
    return {
        "loss": float(np.mean(losses)),
        "decision_loss": float(np.mean(decision_losses)),
        "temperature": temperature,
    }


def _decision_step(
    trainer: SearchTrainer, batch: Batch, arguments: tuple[Any, ...], strategy: Any
) -> float:
    loss, *costs = replicated(
        strategy, trainer.decide, batch, (*arguments, *trainer.constraint_inputs())
    )
    values = dict(zip(QUANTITIES, (float(cost) for cost in costs), strict=True))
    violations = trainer.lagrangian.violations(values, trainer.limits)
    trainer.lagrangian.update({n: v * MULTIPLIER_RATE for n, v in violations.items()})
    return float(loss)


MULTIPLIER_RATE = 0.1
"""Multipliers move each decision step by this share of the textbook update of a solved problem."""


def split_indices(
    count: int, training: Training, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Training samples for the weights and for the decisions (all for both in joint updates)."""
    order = np.random.default_rng((seed, 1)).permutation(count)
    if training.architecture_updates == "joint":
        return order, order
    cut = int(count * WEIGHT_SHARE)
    return order[:cut], order[cut:]


def step_seed(seed: int, phase: Phase, epoch: int, step: int) -> Any:
    """Two integers that no other step has."""
    return tf.constant([seed * 1000 + phase, epoch * 100_000 + step], tf.int32)


def replicated(
    strategy: tf.distribute.Strategy, step: Any, batch: Batch, arguments: tuple[Any, ...]
) -> Any:
    """Runs a step on all replicas, each with its share of the batch; returns the mean result."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return step(tf.constant(batch[0]), tf.constant(batch[1]), *arguments).numpy()
    parts = [np.array_split(array, replicas) for array in batch]
    shares = tuple(
        strategy.experimental_distribute_values_from_function(
            lambda context, part=part: tf.constant(part[context.replica_id_in_sync_group])
        )
        for part in parts
    )
    losses = strategy.run(step, args=(*shares, *arguments))
    return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None).numpy()


def state_arrays(trainer: WeightTrainer, prefix: str) -> Arrays:
    """All variables of a trainer by name."""
    found: Arrays = {}
    for kind, variables in trainer_variables(trainer).items():
        for position, variable in enumerate(variables):
            found[f"{prefix}/{kind}/{position}"] = np.asarray(variable)
    return found


def restore_arrays(trainer: WeightTrainer, prefix: str, arrays: Arrays) -> None:
    """Sets all variables of a trainer."""
    for kind, variables in trainer_variables(trainer).items():
        for position, variable in enumerate(variables):
            variable.assign(arrays[f"{prefix}/{kind}/{position}"])


def trainer_variables(trainer: WeightTrainer) -> dict[str, list[Any]]:
    found = {"model": trainer.model.variables, "optimizer": trainer.optimizer.variables}
    if isinstance(trainer, SearchTrainer):
        found["logits"] = list(trainer.logits.values())
        found["architecture"] = trainer.architecture_optimizer.variables
    return found
