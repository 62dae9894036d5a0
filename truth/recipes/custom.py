"""Custom operators that TFLM has of its own: signals, packed weights, detections."""

from __future__ import annotations

from typing import Any

from flatbuffers import flexbuffers

from predictor.model.builder import TensorRef
from predictor.model.graph import Quantization, TensorType
from truth.sketch import Sketch, like, recipe

_TYPES = {"float32": TensorType.FLOAT32, "int16": TensorType.INT16, "int32": TensorType.INT32}


def _custom(s: Sketch, inputs: list[TensorRef], *outputs: Any, **options: int | float) -> None:
    """Adds the sketch's operator; ``options`` become its flexbuffer, sorted by name."""
    content = flexbuffers.Dumps(options) if options else None
    s.apply(inputs, *outputs, is_custom=True, custom_options=content)


@recipe("SignalDelay", "int16 int16_channels")
def _delay(s: Sketch) -> None:
    frame = s.draw.randint(2, 20)
    x = s.input((3, frame) if s.feature else (frame,))
    _custom(s, [x], (x.shape, "int16"), delay_length=s.draw.randint(0, 20))


@recipe("SignalEnergy", "int16")
def _energy(s: Sketch) -> None:
    size = 2 * s.draw.randint(2, 10)
    x = s.input((size,))
    _custom(s, [x], ((size // 2,), "uint32"), end_index=size // 2, start_index=0)


@recipe("SignalFftAutoScale", "int16")
def _fft_auto_scale(s: Sketch) -> None:
    x = s.input((2 * s.draw.randint(2, 16),))
    _custom(s, [x], (x.shape, "int16"), ((), "int32"))


@recipe("SignalFilterBank", "uint32")
def _filter_bank(s: Sketch) -> None:
    channels = s.draw.randint(2, 6)
    x = s.input((4 * channels,))
    rows = [list(range(channels + 1))] * 3
    banks = [s.builder.constant(row, "int16") for row in rows]
    weights = [s.builder.constant([1] * (4 * channels), "int16") for _ in range(2)]
    _custom(s, [x, *weights, *banks], ((channels,), "uint64"), num_channels=channels)


@recipe("SignalFilterBankLog", "uint32")
def _filter_bank_log(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 20),))
    _custom(s, [x], (x.shape, "int16"), input_correction_bits=3, output_scale=1600)


@recipe("SignalFilterBankSpectralSubtraction", "uint32")
def _spectral_subtraction(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 20),))
    options = {"alternate_one_minus_smoothing": 0, "alternate_smoothing": 0, "clamping": 0}
    options |= {"min_signal_remaining": 819, "num_channels": x.shape[0]}
    options |= {"one_minus_smoothing": 15974, "smoothing": 410, "smoothing_bits": 10}
    options |= {"spectral_subtraction_bits": 14}
    _custom(s, [x], (x.shape, "uint32"), (x.shape, "uint32"), **options)


@recipe("SignalFilterBankSquareRoot", "uint64")
def _square_root(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 20),))
    _custom(s, [x, s.input((), "int32")], (x.shape, "uint32"))


@recipe("SignalPCAN", "uint32")
def _pcan(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 20),))
    table = s.builder.constant([1] * 100, "int16")
    _custom(s, [x, s.input(x.shape), table], (x.shape, "uint32"), snr_shift=6)


@recipe("SignalWindow", "int16")
def _window(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 30),))
    weights = s.builder.constant([100] * x.shape[0], "int16")
    _custom(s, [x, weights], (x.shape, "int16"), shift=12)


@recipe("SignalFramer", "int16 int16_channels")
def _framer(s: Sketch) -> None:
    step = s.draw.randint(2, 8)
    size, frames = step + s.draw.randint(0, 5), s.draw.randint(1, 3)
    outer = (2,) if s.feature else ()
    x = s.input((*outer, step * frames))
    options = {"frame_size": size, "frame_step": step, "prefill": 1}
    _custom(s, [x], ((*outer, frames, size), "int16"), ((), "bool"), **options)


@recipe("SignalOverlapAdd", "int16 float32")
def _overlap_add(s: Sketch) -> None:
    step, frames = s.draw.randint(2, 8), s.draw.randint(1, 3)
    x = s.input((frames, step + s.draw.randint(0, 5)))
    _custom(s, [x], ((frames * step,), s.type), T=_TYPES[s.type], frame_step=step)


@recipe("SignalStacker", "int16")
def _stacker(s: Sketch) -> None:
    channels, left, right = s.draw.randint(2, 8), s.draw.randint(0, 3), s.draw.randint(0, 3)
    x = s.input((channels,))
    stacked = (channels * (left + right + 1),)
    options = {"num_channels": channels, "stacker_left_context": left}
    options |= {"stacker_right_context": right, "stacker_step": 1}
    _custom(s, [x], (stacked, "int16"), ((), "bool"), **options)


@recipe("SignalRfft", "int16 int32 float32")
def _rfft(s: Sketch) -> None:
    length = s.draw.choice((16, 32, 64))
    x = s.input((length - s.draw.randint(0, 3),))
    _custom(s, [x], ((length + 2,), s.type), T=_TYPES[s.type], fft_length=length)


@recipe("SignalIrfft", "int16 int32 float32")
def _irfft(s: Sketch) -> None:
    length = s.draw.choice((16, 32, 64))
    x = s.input((length + 2,))
    _custom(s, [x], ((length,), s.type), T=_TYPES[s.type], fft_length=length)


@recipe("TFLM_DECODE", "int8 float32 int16 int8_pruned float32_pruned int8_channels")
def _decode(s: Sketch) -> None:
    """Packed values, of which 1 bit each chooses between two, or says whether there is one."""
    is_pruned = s.feature in ("pruned", "channels")
    elements, channels = 32, 4
    header = bytes([2 if is_pruned else 0, 1, 0, 0, 1]) + bytes([1, 2]) * (not is_pruned)
    values = b"\1\2" * (elements * (4 if s.type == "float32" else 1))
    ancillary = s.builder.constant(list(header.ljust(16, b"\0") + values), "uint8")
    packed = s.builder.constant([0x55] * (elements // 8), "uint8")
    quantization = None if s.type == "float32" else Quantization((0.05,), (0,))
    if s.feature == "channels":
        quantization = Quantization((0.05,) * channels, (1,) * channels)
    decoded = ((channels, elements // channels), s.type, quantization)
    x = s.input((channels, elements // channels), None, Quantization((0.05,), (0,)))
    (weights,) = s.builder.operator(s.operator, [packed, ancillary], [decoded], is_custom=True)
    s.builder.output(*s.builder.operator("MAXIMUM", [x, weights], [like(x)]))


@recipe("TFLite_Detection_PostProcess", "float32 float32_regular")
def _detections(s: Sketch) -> None:
    boxes, classes, most = s.draw.randint(4, 20), s.draw.randint(1, 3), s.draw.randint(2, 4)
    inputs = [s.input((1, boxes, 4)), s.input((1, boxes, classes + 1))]
    anchors = s.builder.constant([[0.5, 0.5, 1.0, 1.0]] * boxes, "float32")
    outputs = [((1, most, 4), "float32"), *[((1, most), "float32")] * 2, ((1,), "float32")]
    options = {"detections_per_class": 2, "h_scale": 5.0, "max_classes_per_detection": 1}
    options |= {"max_detections": most, "nms_iou_threshold": 0.5, "nms_score_threshold": 0.0}
    options |= {"num_classes": classes, "use_regular_nms": int(bool(s.feature))}
    options |= {"w_scale": 5.0, "x_scale": 10.0, "y_scale": 10.0}
    _custom(s, [*inputs, anchors], *outputs, **options)
