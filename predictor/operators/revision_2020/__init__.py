"""The operators of TFLM of mid-2020 with its reference kernels.

Most of them have no Prepare, or one that checks little: what they do not support shows only when
they run. A module of this package mirrors, for each operator, Init, Prepare and what Eval can
return an error for; its work is counted as for the operator of current TFLM.
"""
