"""Latency of each operator as node data of Model Explorer, which shows it on the model's graph.

The form is ``GraphNodeData`` of google-ai-edge/model-explorer, node_data_builder.py, for the main
subgraph: a value for each node, which is found by the name of its output tensor.
"""

from __future__ import annotations

from predictor.prediction import Prediction
from predictor.report.json_report import dumps

_GRADIENT = ({"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#f4a259"})


def model_explorer(prediction: Prediction) -> str:
    """The file's text: milliseconds of one run of each operator."""
    results: dict[str, float] = {}
    for layer, latency_s in zip(prediction.layers, prediction.layer_latencies_s, strict=True):
        if layer.subgraph_index == 0:
            # Names are no keys in TensorFlow Lite: operators that share one are shown as one.
            name = layer.output_name
            results[name] = results.get(name, 0.0) + latency_s * 1e3
    content = {
        "results": {name: {"value": value} for name, value in results.items()},
        "gradient": list(_GRADIENT),
    }
    return dumps(content) + "\n"
