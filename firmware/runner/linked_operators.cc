// The table of the operators that this firmware links.
//
// operators.h is generated for the library at hand (predictor/emulation/op_resolver.py): it defines
// TFLM_OPERATORS(BUILTIN, CUSTOM), which expands one of its arguments for each operator to link:
//   BUILTIN(code name, register name, highest version)
//   CUSTOM(name as a string, register name)
#include "operators.h"
#include "runner/tflm_api.h"

namespace tflm {

const LinkedOperator kLinkedOperators[] = {
    TFLM_OPERATORS(LINKED_BUILTIN, LINKED_CUSTOM) LINKED_END};

}  // namespace tflm
