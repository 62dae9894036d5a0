# SPDX-License-Identifier: Apache-2.0
# Compiler flags that the TFLM library and the programs share. Those of the core (CORE_FLAGS) follow from its
# description in predictor/cores.
if(NOT CORE_FLAGS)
  message(FATAL_ERROR "CORE_FLAGS is empty: give the core's compiler flags, such as -mcpu=cortex-m4")
endif()

# -g1: line tables, so that a fault can be located; the code is the same.
set(COMMON_FLAGS
  ${CORE_FLAGS} -O2 -g1 -ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}=firmware
  -ffunction-sections -fdata-sections -fno-unwind-tables
  -fno-asynchronous-unwind-tables -funsigned-char)
set(CXX_ONLY_FLAGS -fno-rtti -fno-exceptions -fno-threadsafe-statics)
# What the library was built with. Without TF_LITE_STATIC_MEMORY tensors and nodes are larger.
set(TFLM_STATIC_MEMORY ON CACHE BOOL "whether TFLM is built with TF_LITE_STATIC_MEMORY")
set(TFLM_ARDUINO OFF CACHE BOOL "whether TFLM is laid out as a library for Arduino")
set(TFLM_STRIPPED OFF CACHE BOOL "whether TFLM is built without messages, as BUILD_TYPE=release does")
# NDEBUG: with assertions on, this revision's integer ADD refuses an input zero point of -128.
set(TFLM_DEFINITIONS NDEBUG)
if(TFLM_STATIC_MEMORY)
  list(APPEND TFLM_DEFINITIONS TF_LITE_STATIC_MEMORY)
endif()
if(TFLM_STRIPPED)
  list(APPEND TFLM_DEFINITIONS TF_LITE_STRIP_ERROR_STRINGS)
endif()
if(TFLM_ARDUINO)
  list(APPEND TFLM_DEFINITIONS ARDUINO)
endif()
