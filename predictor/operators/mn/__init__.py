"""The project's own kernels, linked beside those of TFLM.

They serve builtin operators of current TFLM (:mod:`.builtin`) and the custom operators of device
models (:mod:`.custom`). All other operators run with the kernels of TFLM's library.
"""
