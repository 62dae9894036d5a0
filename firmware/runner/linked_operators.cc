// SPDX-License-Identifier: Apache-2.0
// The table of the operators that this firmware links.
//
// operators.h is generated for the library at hand (predictor/firmware/op_resolver.py): it defines
// TFLM_OPERATORS(BUILTIN, CUSTOM, MN, DROP_IN), which expands one of its arguments for each operator
// to link:
//   BUILTIN(code name, register name, highest version)
//   CUSTOM(name as a string, register name)
//   MN(name as a string, register name)     a custom operator of the project's kernels
//   DROP_IN(code name, register name)         a builtin operator that runs with them
#include "operators.h"
#include "runner/tflm_api.h"
#ifdef MN_KERNELS
#include "mn_operators/mn_operators.h"
#endif

namespace tflm {

const LinkedOperator kLinkedOperators[] = {
    TFLM_OPERATORS(LINKED_BUILTIN, LINKED_CUSTOM, LINKED_MN, LINKED_DROP_IN) LINKED_END};

}  // namespace tflm
