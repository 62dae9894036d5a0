"""Sound to images: log-mel spectrograms and MFCCs, in NumPy alone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.tasks.dataset import Floats
from predictor.errors import UsageError

_FLOOR = 1e-6
_INT16 = 32768.0


def read_wave(path: Path, rate: int) -> Floats:
    """Samples of the first channel in [-1, 1].

    Raises:
        UsageError: not a 16-bit WAV file of this sample rate; names the file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, found = file.getparams()[:3]
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError, OSError) as error:
        raise UsageError(f"{path} is no readable WAV file: {error}") from error
    if width != 2 or found != rate:
        raise UsageError(f"{path} has {8 * width} bits at {found} Hz; needs 16 bits at {rate} Hz")
    samples = np.frombuffer(raw, "<i2").reshape(-1, channels)[:, 0]
    return (samples / _INT16).astype(np.float32)


def of_length(samples: Floats, length: int) -> Floats:
    """Cut, or filled with silence at the end."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def log_mel(samples: Floats, rate: int, frame: int, stride: int, bands: int) -> Floats:
    """Logarithm of mel band energies (frames x bands); frame and stride in samples."""
    count = 1 + (len(samples) - frame) // stride
    index = np.arange(frame)[None, :] + stride * np.arange(count)[:, None]
    windowed = samples[index] * np.hanning(frame).astype(np.float32)
    size = 1 << (frame - 1).bit_length()
    power = np.abs(np.fft.rfft(windowed, size)) ** 2 / size
    energies = power @ mel_filters(rate, size, bands).T
    return np.asarray(np.log(energies + _FLOOR), np.float32)


def mfcc(
    samples: Floats, rate: int, frame: int, stride: int, bands: int, coefficients: int
) -> Floats:
    """Cepstral coefficients (frames x coefficients): an orthonormal DCT-II of log-mel bands."""
    energies = log_mel(samples, rate, frame, stride, bands)
    k, n = np.arange(coefficients)[:, None], np.arange(bands)[None, :]
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * bands)) * np.sqrt(2.0 / bands)
    basis[0] /= np.sqrt(2.0)
    return np.asarray(energies @ basis.T, np.float32)


def mel_filters(rate: int, size: int, bands: int) -> npt.NDArray[np.float64]:
    """Triangular filters (bands x bins) from 20 Hz to half the sample rate."""
    edges = _hertz(np.linspace(_mel(20.0), _mel(rate / 2), bands + 2))
    bins = np.fft.rfftfreq(size, 1 / rate)[None, :]
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def standardized(train: Floats, *others: Floats) -> tuple[Floats, ...]:
    """All arrays scaled by the training set's mean and deviation to about [-1, 1]."""
    mean, deviation = statistics(train)
    return tuple(scaled(x, mean, deviation) for x in (train, *others))


def statistics(x: Floats) -> tuple[Floats, Floats]:
    """Mean and three deviations of each band or coefficient."""
    return x.mean(axis=(0, 1)), 3.0 * x.std(axis=(0, 1)) + _FLOOR


def scaled(x: Floats, mean: Floats, deviation: Floats) -> Floats:
    return np.asarray(np.clip((x - mean) / deviation, -1.5, 1.5), np.float32)


def _mel(hertz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hertz / 700.0))


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
