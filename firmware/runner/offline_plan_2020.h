// SPDX-License-Identifier: Apache-2.0
// A model's OfflineMemoryAllocation metadata for TFLM of mid-2020, which does not know it. The
// runner links its own implementation of that TFLM's planner class (memory_planner_2020.cc), which
// asks here where each buffer belongs. Current TFLM reads the metadata itself.
#ifndef RUNNER_OFFLINE_PLAN_2020_H_
#define RUNNER_OFFLINE_PLAN_2020_H_

#include "tensorflow/lite/schema/schema_generated.h"

namespace offline_plan {

constexpr int kOnlinePlanned = -1;

// Takes the model's plan, if it has one. A plan that has not one offset for each tensor ends the
// program with a message.
void Load(const tflite::Model& model);

// The offset in bytes of the next buffer, in the order in which TFLM adds buffers to its planner
// (tensors by index, then scratch buffers); kOnlinePlanned leaves it to the planner.
int NextOffset();

}  // namespace offline_plan

#endif  // RUNNER_OFFLINE_PLAN_2020_H_
