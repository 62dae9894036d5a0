"""How good a network's answers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nas.tasks.dataset import Dataset

Answers = npt.NDArray[Any]


def accuracy(logits: Answers, labels: npt.NDArray[np.int64]) -> float:
    """Share of samples whose largest logit is that of their class."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))


def area_under_curve(scores: Answers, positive: npt.NDArray[np.bool_]) -> float:
    """Probability that an anomaly scores above a normal sample; ties count half."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    values = scores[order]
    start = 0
    while start < len(values):
        end = start + int(np.searchsorted(values[start:], values[start], side="right"))
        ranks[order[start:end]] = (start + 1 + end) / 2
        start = end
    positives = int(positive.sum())
    negatives = len(scores) - positives
    if not positives or not negatives:
        return float("nan")
    return float(
        (ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def quality(logits: Answers, data: Dataset) -> float:
    """Accuracy on the test set, or AUC of the negative softmax score of the sample's machine.

    The score is that of Giri et al. (2020), which the paper uses (section 4.3).
    """
    if data.test_anomalous is None:
        return accuracy(logits, data.test_y)
    shifted = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    own = shares[np.arange(len(shares)), data.test_y]
    return area_under_curve(-own, data.test_anomalous)
