"""Layers with weights: convolutions and fully connected layers."""

from __future__ import annotations

from math import prod

from predictor.errors import UsageError
from predictor.model.builder.core import located
from predictor.model.builder.geometry import Pair, Window, window
from predictor.model.builder.tensors import TensorRef, Type
from predictor.model.builder.weights import WeightedLayers, activation_spread
from predictor.model.graph import Quantization


class ConvolutionLayers(WeightedLayers):
    """Each layer returns its output and raises a UsageError where its input does not fit.

    Common arguments: ``activation`` is none, relu, relu6, relu_n1_to_1 or tanh; ``weights`` the
    type of the filter (int8 or int4 where activations are quantised); ``quantization`` replaces
    the output's; ``name`` names the output.
    """

    @located
    def conv_2d(
        self,
        x: TensorRef,
        channels: int,
        *,
        kernel: Pair = 1,
        stride: Pair = 1,
        dilation: Pair = 1,
        padding: str = "same",
        activation: str = "none",
        weights: Type | None = None,
        bias: bool = True,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """CONV_2D with one scale for each output channel."""
        label = name or self.next_label("conv_2d")
        batch, height, width, depth = self._image(x)
        view = window(kernel, stride, padding, dilation)
        fan_in = depth * prod(view.kernel)
        filter = self._weights(label, x, (channels, *view.kernel, depth), fan_in, weights, 0)
        biases = self._bias(label, x, filter, channels) if bias else None
        shape = (batch, *view.output_size(height, width), channels)
        options = view.stride_options | view.dilation_options
        return self._weighted(
            label, "CONV_2D", x, [x, filter, biases], shape, options, activation, quantization
        )

    @located
    def depthwise_conv_2d(
        self,
        x: TensorRef,
        *,
        kernel: Pair,
        multiplier: int = 1,
        stride: Pair = 1,
        dilation: Pair = 1,
        padding: str = "same",
        activation: str = "none",
        weights: Type | None = None,
        bias: bool = True,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """DEPTHWISE_CONV_2D with ``multiplier`` output channels for each input channel."""
        label = name or self.next_label("depthwise_conv_2d")
        batch, height, width, depth = self._image(x)
        view = window(kernel, stride, padding, dilation)
        channels = depth * multiplier
        fan_in = prod(view.kernel)
        filter = self._weights(label, x, (1, *view.kernel, channels), fan_in, weights, 3)
        biases = self._bias(label, x, filter, channels) if bias else None
        shape = (batch, *view.output_size(height, width), channels)
        options = view.stride_options | view.dilation_options | {"depth_multiplier": multiplier}
        return self._weighted(
            label,
            "DEPTHWISE_CONV_2D",
            x,
            [x, filter, biases],
            shape,
            options,
            activation,
            quantization,
        )

    @located
    def transpose_conv(
        self,
        x: TensorRef,
        channels: int,
        *,
        kernel: Pair,
        stride: Pair = 1,
        padding: str = "same",
        weights: Type | None = None,
        bias: bool = True,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """TRANSPOSE_CONV, which enlarges an image by its stride."""
        label = name or self.next_label("transpose_conv")
        batch, height, width, depth = self._image(x)
        view: Window = window(kernel, stride, padding)
        fan_in = depth * max(1.0, prod(view.kernel) / prod(view.stride))
        filter = self._weights(label, x, (channels, *view.kernel, depth), fan_in, weights, 0)
        biases = self._bias(label, x, filter, channels) if bias else None
        shape = (batch, *view.transposed_size(height, width), channels)
        wanted = self.constant(shape, "int32", name=f"{label}/output_shape")
        return self._weighted(
            label,
            "TRANSPOSE_CONV",
            x,
            [wanted, filter, x, biases],
            shape,
            view.stride_options,
            "none",
            quantization,
        )

    @located
    def fully_connected(
        self,
        x: TensorRef,
        units: int,
        *,
        activation: str = "none",
        weights: Type | None = None,
        per_channel: bool = False,
        bias: bool = True,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """FULLY_CONNECTED on the flattened input, by default with one scale for all weights."""
        label = name or self.next_label("fully_connected")
        self.index_of(x)
        if not x.shape:
            raise UsageError("a scalar has no features; give it a shape of (batch, features)")
        batch, features = x.shape[0], prod(x.shape[1:])
        filter = self._weights(
            label, x, (units, features), features, weights, 0 if per_channel else None
        )
        biases = self._bias(label, x, filter, units) if bias else None
        return self._weighted(
            label,
            "FULLY_CONNECTED",
            x,
            [x, filter, biases],
            (batch, units),
            {},
            activation,
            quantization,
        )

    def _weighted(
        self,
        label: str,
        name: str,
        x: TensorRef,
        inputs: list[TensorRef | None],
        shape: tuple[int, ...],
        options: dict[str, object],
        activation: str,
        quantization: Quantization | None,
    ) -> TensorRef:
        """Adds the operator; its activations ``x`` decide the type of the output."""
        quantization = quantization or self._output_quantization(x.type, activation, 1.0)
        return self._add_layer(
            label,
            name,
            inputs if inputs[-1] is not None else inputs[:-1],
            (shape, x.type, quantization),
            options | {"fused_activation_function": activation},
            spread=activation_spread(activation, 1.0),
        )
