"""Supernets as trainable Keras models with fake quantisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from nas.space.decision_nodes import WidthChoice
from nas.space.masking import expected_mask, prefix_masks
from nas.space.supernet import (
    ADD,
    DENSE,
    DEPTHWISE,
    INPUT,
    POOL,
    QUANTIZE,
    SELECT,
    SOFTMAX,
    WEIGHTED,
    Layer,
    Supernet,
)
from nas.training.quantizers import (
    SMALLEST_STEP,
    activation_limits,
    as_kernels_sum,
    initial_step,
    initial_top,
    learnt_range,
    quantize_activations,
    quantize_weights,
    stored_range,
)

BATCH_NORM_MOMENTUM = 0.9
"""Short trainings need it: with Keras' 0.99 the averages lag behind by hundreds of steps."""
BATCH_NORM_EPSILON = 1e-3
Activations = Mapping[str, Any]
Observer = Callable[[str, Any], Any]
_INPUT_LAYER = Layer(INPUT, INPUT, ())


class WeightedLayer(keras.layers.Layer):  # type: ignore[misc,unused-ignore]
    """A convolution or dense layer with quantised weights, and batch normalisation if it has one.

    Weights of convolutions have one quantisation step a channel, so that folding the batch
    normalisation into them changes the steps and not the grid; dense layers have one step.
    """

    def __init__(
        self, layer: Layer, inputs: int, outputs: int, bits: tuple[int, ...], compute: Any
    ) -> None:
        super().__init__(name=layer.name)
        self.layer, self.bit_options, self._compute = layer, bits, compute
        shape: tuple[int, ...] = (*layer.kernel, inputs, outputs)
        if layer.kind == DEPTHWISE:
            shape = (*layer.kernel, outputs)
        elif layer.kind == DENSE:
            shape = (inputs, outputs)
        fan_in = math.prod(shape[:-1])
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=keras.initializers.RandomNormal(stddev=math.sqrt(2.0 / fan_in)),
        )
        self.axis = None if layer.kind == DENSE else len(shape) - 1
        self.per_step = math.prod(shape) if self.axis is None else fan_in
        self.steps = {
            b: self.add_weight(
                name=f"step{b}",
                shape=() if self.axis is None else (outputs,),
                initializer="zeros",
            )
            for b in bits
        }
        self.reset_steps()
        if layer.kind == DENSE:
            self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros")
        else:
            self.normalization = keras.layers.BatchNormalization(
                momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name="normalization"
            )
            self.normalization.build((None, None, None, outputs))

    def reset_steps(self) -> None:
        """Sets the quantisation steps to those that suit the weights as they are."""
        for bits, step in self.steps.items():
            step.assign(stored_range(initial_step(self.kernel.numpy(), bits, self.axis)))

    def quantized_kernel(self, bit_weights: Any = None) -> Any:
        """The kernel on its grid; with several bit widths, their mixture."""
        kernel = tf.convert_to_tensor(self.kernel)
        quantized = [
            quantize_weights(kernel, learnt_range(self.steps[b]), b, self.per_step)
            for b in self.bit_options
        ]
        if len(quantized) == 1:
            return quantized[0]
        return tf.add_n([bit_weights[k] * q for k, q in enumerate(quantized)])

    def call(self, x: Any, bit_weights: Any = None, training: bool = False) -> Any:
        kernel = self.quantized_kernel(bit_weights)
        if self.layer.kind == DENSE:
            return tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel) + tf.convert_to_tensor(
                self.bias
            )
        x, kernel = tf.cast(x, self._compute), tf.cast(kernel, self._compute)
        if self.layer.kind == DEPTHWISE:
            x = _depthwise(x, kernel, self.layer.stride)
        else:
            x = tf.nn.conv2d(x, kernel, list(self.layer.stride), "SAME")
        return self.normalization(tf.cast(x, tf.float32), training=training)

    def unit(self, input_step: Any) -> Any:
        """What integer sums of this layer count, by channel, from the input's step on."""
        (step,) = self.steps.values()
        factor = self.normalization.gamma / tf.sqrt(
            self.normalization.moving_variance + BATCH_NORM_EPSILON
        )
        return input_step * learnt_range(step) * tf.maximum(tf.abs(factor), SMALLEST_STEP)


def _depthwise(x: Any, kernel: Any, stride: tuple[int, int]) -> Any:
    """TensorFlow's operator wants equal strides; unequal ones do not occur in the backbones."""
    return tf.nn.depthwise_conv2d(x, kernel[..., None], [1, *stride, 1], "SAME")


class SupernetModel(keras.Model):  # type: ignore[misc,unused-ignore]
    """Logits of a supernet for soft decisions, or of a network without open decisions.

    Convolutions are computed in ``compute``; everything else, quantisation above all, in float32.
    """

    def __init__(self, supernet: Supernet, seed: int = 0, compute: Any = tf.float32) -> None:
        super().__init__(name=supernet.name)
        keras.utils.set_random_seed(seed)
        self.supernet = supernet
        channels = supernet.max_channels()
        self.weighted = {
            layer.name: WeightedLayer(
                layer,
                channels[layer.inputs[0]],
                channels[layer.name],
                supernet.bit_options(layer.bits),
                compute,
            )
            for layer in supernet.layers
            if layer.kind in WEIGHTED
        }
        self.masks = {
            name: prefix_masks(node.options)
            for name, node in supernet.nodes.items()
            if isinstance(node, WidthChoice) and len(node) > 1
        }
        self.tops = {
            (name, bits): self.add_weight(name=f"top{bits}_{name}", shape=(), initializer="zeros")
            for name, options in quantized_tensors(supernet).items()
            for bits in options
        }
        self._activations = {layer.name: layer.activation for layer in supernet.layers}
        self._grids = pooled_grids(supernet)
        self.built = True

    def call(
        self,
        x: Any,
        probabilities: Activations | None = None,
        training: bool = False,
        observe: Observer | None = None,
    ) -> Any:
        """Logits for a batch of images (batch, height, width, channels).

        Where ``observe`` is given, nothing is quantised, and it is called with each tensor.
        """
        p = probabilities or {}
        masks = {name: expected_mask(p[name], table) for name, table in self.masks.items()}
        tensors = {INPUT: self._quantized(_INPUT_LAYER, x, p, observe)}
        for layer in self.supernet.layers:
            if layer.kind == SOFTMAX:
                tensors[layer.name] = tensors[layer.inputs[0]]
                continue
            inputs = [tensors[name] for name in layer.inputs]
            y = self._run(layer, inputs, p, training)
            if layer.activation == "relu":
                y = tf.nn.relu(y)
            elif layer.activation == "relu6":
                y = tf.nn.relu6(y)
            if isinstance(layer.channels, str) and layer.channels in masks:
                y = y * masks[layer.channels]
            elif layer.kind == DEPTHWISE:
                y = y * self._input_mask(layer, p, masks)
            tensors[layer.name] = self._quantized(layer, y, p, observe)
        return tensors[self.supernet.output]

    def _run(self, layer: Layer, inputs: list[Any], p: Activations, training: bool) -> Any:
        if layer.kind in WEIGHTED:
            bits = p.get(layer.bits) if isinstance(layer.bits, str) else None
            y = self.weighted[layer.name](inputs[0], bits, training=training)
            return self._as_kernels_sum(layer, y)
        if layer.kind == SELECT:
            shares = p[str(layer.decision)]
            return tf.add_n([shares[k] * x for k, x in enumerate(inputs)])
        if layer.kind == POOL:
            return tf.nn.avg_pool2d(inputs[0], list(layer.kernel), list(layer.stride), "SAME")
        if layer.kind == QUANTIZE:
            return inputs[0]
        if layer.kind == ADD:
            return inputs[0] + inputs[1]
        raise NotImplementedError(layer.kind)

    def _as_kernels_sum(self, layer: Layer, y: Any) -> Any:
        """The sums as a kernel rounds them, where that shows: with 4 bits, all decisions made."""
        steps = [self._step(name) for name in (*layer.inputs, layer.name)]
        if self.supernet.nodes or None in steps:
            return y
        return as_kernels_sum(y, self.weighted[layer.name].unit(steps[0]), steps[1])

    def _step(self, tensor: str) -> Any:
        """The step of a tensor's 4-bit grid, None where it has none."""
        name, activation = self._grids.get(tensor, (tensor, self._activations.get(tensor, "none")))
        if (name, 4) not in self.tops:
            return None
        return learnt_range(self.tops[name, 4]) / activation_limits(activation, 4)[1]

    def _input_mask(self, layer: Layer, p: Activations, masks: Activations) -> Any:
        """The mask of what a depthwise layer reads: its bias must not revive masked channels."""
        producers = {other.name: other for other in self.supernet.layers}
        return _mask_of(layer.inputs[0], producers, p, masks)

    def _quantized(self, layer: Layer, x: Any, p: Activations, observe: Observer | None) -> Any:
        """A layer's tensor on its grid; with several bit widths, the mixture of its grids."""
        name, activation = self._grids.get(layer.name, (layer.name, layer.activation))
        options = self.supernet.bit_options(layer.output_bits)
        if (name, options[0]) not in self.tops:
            return x
        if observe is not None:
            observe(name, x)
            return x
        elements, averages = math.prod(x.shape[1:]), layer.kind == POOL
        grids = [
            quantize_activations(
                x, learnt_range(self.tops[name, b]), activation, elements, b, averages
            )
            for b in options
        ]
        if len(grids) == 1:
            return grids[0]
        return tf.add_n([p[str(layer.output_bits)][k] * grid for k, grid in enumerate(grids)])

    def calibrate(self, x: Any, probabilities: Activations | None = None) -> None:
        """Sets all ranges to what a batch shows; training goes on from there."""
        for layer in self.weighted.values():
            layer.reset_steps()
        observed: dict[str, Any] = {}
        self(x, probabilities, training=True, observe=observed.setdefault)
        for (name, bits), top in self.tops.items():
            value = initial_top(observed[name].numpy(), bits)
            top.assign(stored_range(max(value, SMALLEST_STEP)))


def _mask_of(name: str, producers: Mapping[str, Layer], p: Activations, masks: Activations) -> Any:
    layer = producers.get(name)
    if layer is None:
        return 1.0
    if layer.kind == SELECT:
        shares = p[str(layer.decision)]
        parts = [_mask_of(i, producers, p, masks) for i in layer.inputs]
        # A channel that any branch keeps must be able to learn.
        return sum(shares[k] * part for k, part in enumerate(parts))
    if isinstance(layer.channels, str):
        return masks.get(layer.channels, 1.0)
    if layer.channels is not None:
        return 1.0
    return _mask_of(layer.inputs[0], producers, p, masks)


def quantized_tensors(supernet: Supernet) -> dict[str, tuple[int, ...]]:
    """Tensors with a range of their own and their bit widths.

    That are all but those that pass on the values of others: 8 bits hold what 4 held.
    """
    found: dict[str, tuple[int, ...]] = {INPUT: (8,)}
    for layer in supernet.layers:
        widens = layer.kind == QUANTIZE and layer.output_bits == 8
        if layer.kind not in (POOL, SELECT, SOFTMAX) and not widens:
            found[layer.name] = supernet.bit_options(layer.output_bits)
    return found


def pooled_grids(network: Supernet) -> dict[str, tuple[str, str]]:
    """Averages: the tensors whose grids they stay on, and the activations these have.

    They are unknown where decisions are open.
    """
    found: dict[str, tuple[str, str]] = {}
    activations = {layer.name: layer.activation for layer in network.layers}
    for layer in network.layers:
        if layer.kind == POOL and not network.nodes:
            (source,) = layer.inputs
            found[layer.name] = found.get(source, (source, activations.get(source, "none")))
    return found


def inherit(network: SupernetModel, supernet: SupernetModel) -> None:
    """Gives a network the weights and ranges of the supernet it was chosen from."""
    channels = network.supernet.max_channels()
    for name, layer in network.weighted.items():
        source = supernet.weighted[name]
        outputs = channels[name]
        inputs = channels[layer.layer.inputs[0]]
        kernel = source.kernel.numpy()[..., :outputs]
        if layer.layer.kind != DEPTHWISE:
            kernel = kernel[..., :inputs, :]
        layer.kernel.assign(kernel)
        for bits, step in layer.steps.items():
            value = source.steps[bits].numpy()
            step.assign(value[:outputs] if value.ndim else value)
        if layer.layer.kind == DENSE:
            layer.bias.assign(source.bias.numpy()[:outputs])
        else:
            for mine, theirs in zip(
                layer.normalization.weights, source.normalization.weights, strict=True
            ):
                mine.assign(theirs.numpy()[:outputs])
    for key, top in network.tops.items():
        top.assign(supernet.tops[key].numpy())
