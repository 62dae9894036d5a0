# SPDX-License-Identifier: Apache-2.0
# What CMake compiles for this port.
set(PORT_SOURCES ports/mps3_an547/port.c)
