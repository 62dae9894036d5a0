"""The processor cores: what compilers, kernels and emulators must know of each, as data."""
