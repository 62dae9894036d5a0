# SPDX-License-Identifier: Apache-2.0
# What CMake compiles for this port.
set(PORT_SOURCES ports/dwt.c ports/generic/port.c)
