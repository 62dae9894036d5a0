"""What an operator's Init and Prepare saw in mid-2020."""

from __future__ import annotations

from predictor.model.graph import Quantization
from predictor.operators.context import NodeContext


class KeptTensorsContext(NodeContext):
    """A context for a TFLM that keeps all tensors: to look at one takes no memory."""

    __slots__ = ()

    def _request_temp_tensor(self, quantization: Quantization | None) -> None:
        pass
