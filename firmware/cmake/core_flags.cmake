# Compiler flags that follow from the core alone; the TFLM library and the programs share them.
# The F767's double-precision unit stays unused: emulators of Cortex-M7 often lack it, and TFLM's
# kernels compute in single precision.
if(BOARD_CORE STREQUAL "cortex-m4")
  set(CORE_FLAGS -mcpu=cortex-m4 -mfpu=fpv4-sp-d16)
elseif(BOARD_CORE STREQUAL "cortex-m7")
  set(CORE_FLAGS -mcpu=cortex-m7 -mfpu=fpv5-sp-d16)
  set(BOARD_IS_CORTEX_M7 ON)
else()
  message(FATAL_ERROR "BOARD_CORE is '${BOARD_CORE}', not cortex-m4 or cortex-m7")
endif()
list(APPEND CORE_FLAGS -mthumb -mfloat-abi=hard)

# -g1: line tables, so that a fault can be located; the code is the same.
set(COMMON_FLAGS
  ${CORE_FLAGS} -O2 -g1 -ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}=firmware
  -ffunction-sections -fdata-sections -fno-unwind-tables
  -fno-asynchronous-unwind-tables -funsigned-char)
set(CXX_ONLY_FLAGS -fno-rtti -fno-exceptions -fno-threadsafe-statics)
# NDEBUG: with assertions on, this revision's integer ADD refuses an input zero point of -128.
set(TFLM_DEFINITIONS TF_LITE_STATIC_MEMORY NDEBUG)
