# SPDX-License-Identifier: Apache-2.0
"""Integer kernels in C for Cortex-M4 and M7, with a host build bound here."""
