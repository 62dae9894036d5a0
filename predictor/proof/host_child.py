"""The child process of a runtime on this machine (``host_runtime.py``): little but the runtime.

It reads pickled requests from standard input and answers each: the error, empty where there is
none, and the outputs of each inference.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

LAYERS = "tflite_micro_layers"
"""TFLM's Python package, whose outputs are those of all operators of the main subgraph."""

Arrays = tuple[Any, ...]
"""NumPy's, which the runtimes import."""
Samples = tuple[Arrays, ...]


def _run_tflite_micro(
    model: bytes, samples: Samples, arena_bytes: int, outputs: Sequence[int]
) -> Iterator[Arrays]:
    import tflite_micro

    interpreter = tflite_micro.runtime.Interpreter.from_bytes(
        model,
        arena_size=arena_bytes,
        intrepreter_config=tflite_micro.runtime.InterpreterConfig.kAllocationRecording,
    )
    interpreter.print_allocations()
    for inputs in samples:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        yield tuple(map(interpreter.get_output, outputs))


def _run_layers(
    model: bytes, samples: Samples, arena_bytes: int, tensors: Sequence[int]
) -> Iterator[Arrays]:
    import numpy as np
    import tflite_micro

    interpreter = tflite_micro.runtime.Interpreter.from_bytes(
        model,
        arena_size=arena_bytes,
        intrepreter_config=tflite_micro.runtime.InterpreterConfig.kPreserveAllTensors,
    )
    for inputs in samples:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        yield tuple(np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in tensors)


def _run_litert(model: bytes, samples: Samples, _: int, outputs: Sequence[int]) -> Iterator[Arrays]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    for inputs in samples:
        for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(details["index"], array)
        interpreter.invoke()
        yield tuple(interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details())


_RUNTIMES: dict[str, Callable[[bytes, Samples, int, Sequence[int]], Iterator[Arrays]]] = {
    "tflite_micro": _run_tflite_micro,
    LAYERS: _run_layers,
    "litert": _run_litert,
}


def serve(name: str) -> None:
    """Answers requests until there are none: pickled (model, inputs of each inference, bytes of
    the arena, numbers of the outputs or tensors that are wanted)."""
    # The runtimes print to standard output, too: the answers go through a descriptor of their own.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    run = _RUNTIMES[name]
    while True:
        try:
            model, samples, arena_bytes, wanted = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = "", tuple(run(model, samples, arena_bytes, wanted))
        except (RuntimeError, ValueError) as error:
            answer = f"{type(error).__name__}: {error}", ()
        sys.stderr.flush()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
