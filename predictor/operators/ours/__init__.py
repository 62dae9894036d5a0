"""The kernel set ``ours``: operators that run with the project's own kernels.

Builtin operators of current TFLM that are registered with them (:mod:`.drop_in`), and the custom
operators of device models (:mod:`.custom`). All others are TFLM's with its reference kernels.
"""
