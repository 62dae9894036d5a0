"""The phases of a training."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """A phase, by the number that goes into the seeds of its random numbers."""

    TEACHER = 0
    WARMUP = 1
    SEARCH = 2
    FINETUNE = 3
    BASELINE_TRY = 5
    BASELINE = 6
    DECISIONS = 12

    @property
    def title(self) -> str:
        """For metrics, checkpoints and progress."""
        return self.name.lower()


PHASES = (Phase.TEACHER, Phase.WARMUP, Phase.SEARCH, Phase.FINETUNE)
"""Those of a search, in their order; the decisions are updated within ``SEARCH``."""
