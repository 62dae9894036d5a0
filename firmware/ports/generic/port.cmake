# What CMake compiles for this port.
set(PORT_SOURCES ports/generic/port.c)
