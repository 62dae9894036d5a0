// SPDX-License-Identifier: Apache-2.0
// The thin layer between the runner and TFLM: one set of names over the API of mid-2020 and the
// current one. The two are told apart by a header that only the current one has.
//
#ifndef RUNNER_TFLM_API_H_
#define RUNNER_TFLM_API_H_

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#if __has_include("tensorflow/lite/micro/micro_log.h")
#include "runner/tflm_api_current.h"
#else
#include "runner/tflm_api_2020.h"
#endif

namespace tflm {

// An operator of the model as its operator code tells it.
struct OperatorCode {
  int32_t builtin;
  const char* custom_name;  // null for builtin operators
  int32_t version;
};

// The schema of 2020 has no int32 builtin_code; it stands in the fourth field of the table, and the
// first holds 127 where it would not fit into eight bits.
inline OperatorCode ReadOperatorCode(const tflite::OperatorCode& code) {
  constexpr flatbuffers::voffset_t kFirstField = 4, kFourthField = 10;
  const auto& table = reinterpret_cast<const flatbuffers::Table&>(code);
  const int32_t narrow = table.GetField<int8_t>(kFirstField, 0);
  const int32_t wide = table.GetField<int32_t>(kFourthField, 0);
  const int32_t builtin = wide > narrow ? wide : narrow;
  const bool is_custom = builtin == tflite::BuiltinOperator_CUSTOM && code.custom_code() != nullptr;
  return {builtin, is_custom ? code.custom_code()->c_str() : nullptr, code.version()};
}

// The operators of this firmware (linked_operators.cc), up to LINKED_END.
extern const LinkedOperator kLinkedOperators[];

inline bool IsSame(const OperatorCode& code, const LinkedOperator& linked) {
  if (code.custom_name == nullptr || linked.custom_name == nullptr) {
    return code.custom_name == linked.custom_name && code.builtin == linked.builtin;
  }
  return std::strcmp(code.custom_name, linked.custom_name) == 0;
}

// Fills `found` and returns true if the operator is linked.
inline bool FindOperator(const OperatorCode& code, FoundOperator* found) {
  for (const LinkedOperator* linked = kLinkedOperators; linked->registration != nullptr; ++linked) {
    if (!IsSame(code, *linked)) continue;
    *found = Found(*linked);
    found->registration.builtin_code = code.builtin;
    found->registration.custom_name = code.custom_name;
    return true;
  }
  return false;
}

// A subgraph without operators has no vector of them.
inline uint32_t OperatorsIn(const tflite::SubGraph& subgraph) {
  return subgraph.operators() == nullptr ? 0 : subgraph.operators()->size();
}

// Empty if this TFLM does not know the code; the host knows more names.
inline const char* OperatorName(const OperatorCode& code) {
  if (code.custom_name != nullptr) return code.custom_name;
  if (code.builtin < tflite::BuiltinOperator_MIN || code.builtin > tflite::BuiltinOperator_MAX) {
    return "";
  }
  return tflite::EnumNameBuiltinOperator(static_cast<tflite::BuiltinOperator>(code.builtin));
}

}  // namespace tflm

#endif  // RUNNER_TFLM_API_H_
