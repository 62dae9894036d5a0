"""The device model: a model's layers as custom operators of the project's own kernels."""
