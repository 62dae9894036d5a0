// SPDX-License-Identifier: Apache-2.0
// The planner class of TFLM of mid-2020, implemented anew so that it obeys a model's offline plan as
// current TFLM does. The linker takes these functions instead of those in TFLM's library.
//
// Buffers with an offline offset stay there, whatever they overlap. The others follow by falling
// size, among equal sizes in the order in which they were added; each goes into the first gap
// between the buffers that live at the same time. Without an offline plan the result is that of
// the class it replaces, in the same memory.
#if !__has_include("tensorflow/lite/micro/micro_log.h")
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"

#include "runner/offline_plan_2020.h"

namespace tflite {
namespace {

// Cuts the next array out of the memory at `*free`.
template <class T>
T* TakeArray(unsigned char** free, int count) {
  T* array = reinterpret_cast<T*>(*free);
  *free += sizeof(T) * count;
  return array;
}

}  // namespace

// Two of the arrays have other uses here than their names say: buffer_sizes_sorted_by_size_ holds
// the offline offset of each buffer, and of buffers_sorted_by_offset_ only requirements_index is
// used, the placed buffers by rising offset.
GreedyMemoryPlanner::GreedyMemoryPlanner(unsigned char* scratch_buffer, int scratch_buffer_size)
    : max_buffer_count_(scratch_buffer_size / static_cast<int>(per_buffer_size())),
      buffer_count_(0),
      next_free_entry_(0),
      need_to_calculate_offsets_(true) {
  requirements_ = TakeArray<BufferRequirements>(&scratch_buffer, max_buffer_count_);
  buffer_sizes_sorted_by_size_ = TakeArray<int>(&scratch_buffer, max_buffer_count_);
  buffer_ids_sorted_by_size_ = TakeArray<int>(&scratch_buffer, max_buffer_count_);
  buffers_sorted_by_offset_ = TakeArray<ListEntry>(&scratch_buffer, max_buffer_count_);
  buffer_offsets_ = TakeArray<int>(&scratch_buffer, max_buffer_count_);
}

GreedyMemoryPlanner::~GreedyMemoryPlanner() {}

TfLiteStatus GreedyMemoryPlanner::AddBuffer(ErrorReporter* error_reporter, int size,
                                            int first_time_used, int last_time_used) {
  if (buffer_count_ == max_buffer_count_) {
    TF_LITE_REPORT_ERROR(error_reporter, "Too many buffers (max is %d)", max_buffer_count_);
    return kTfLiteError;
  }
  requirements_[buffer_count_] = {size, first_time_used, last_time_used};
  buffer_sizes_sorted_by_size_[buffer_count_] = offline_plan::NextOffset();
  ++buffer_count_;
  need_to_calculate_offsets_ = true;
  return kTfLiteOk;
}

bool GreedyMemoryPlanner::DoesEntryOverlapInTime(const ListEntry* entry, int first_time_used,
                                                 int last_time_used) const {
  const BufferRequirements& placed = requirements_[entry->requirements_index];
  return placed.first_time_used <= last_time_used && first_time_used <= placed.last_time_used;
}

void GreedyMemoryPlanner::CalculateOffsetsIfNeeded() {
  if (!need_to_calculate_offsets_) return;
  need_to_calculate_offsets_ = false;
  const int* offline = buffer_sizes_sorted_by_size_;
  const auto is_online = [offline](int id) { return offline[id] == offline_plan::kOnlinePlanned; };
  const auto comes_before = [&](int id, int other) {
    if (is_online(id) != is_online(other)) return is_online(other);
    return is_online(id) && requirements_[id].size > requirements_[other].size;
  };
  for (int id = 0; id < buffer_count_; ++id) {
    int at = id;
    for (; at > 0 && comes_before(id, buffer_ids_sorted_by_size_[at - 1]); --at) {
      buffer_ids_sorted_by_size_[at] = buffer_ids_sorted_by_size_[at - 1];
    }
    buffer_ids_sorted_by_size_[at] = id;
  }
  ListEntry* placed = buffers_sorted_by_offset_;
  for (int count = 0; count < buffer_count_; ++count) {
    const int id = buffer_ids_sorted_by_size_[count];
    const BufferRequirements& wanted = requirements_[id];
    int offset = 0;
    for (int i = 0; is_online(id) && i < count; ++i) {
      if (!DoesEntryOverlapInTime(&placed[i], wanted.first_time_used, wanted.last_time_used)) continue;
      if (placed[i].offset - offset >= wanted.size) break;
      const int end = placed[i].offset + requirements_[placed[i].requirements_index].size;
      if (end > offset) offset = end;
    }
    buffer_offsets_[id] = is_online(id) ? offset : offline[id];
    int at = count;
    for (; at > 0 && placed[at - 1].offset > buffer_offsets_[id]; --at) placed[at] = placed[at - 1];
    placed[at] = {buffer_offsets_[id], id, 0};
  }
}

size_t GreedyMemoryPlanner::GetMaximumMemorySize() {
  CalculateOffsetsIfNeeded();
  int height = 0;
  for (int id = 0; id < buffer_count_; ++id) {
    const int end = buffer_offsets_[id] + requirements_[id].size;
    if (end > height) height = end;
  }
  return height;
}

int GreedyMemoryPlanner::GetBufferCount() { return buffer_count_; }

TfLiteStatus GreedyMemoryPlanner::GetOffsetForBuffer(ErrorReporter* error_reporter,
                                                     int buffer_index, int* offset) {
  if (buffer_index < 0 || buffer_index >= buffer_count_) {
    TF_LITE_REPORT_ERROR(error_reporter, "There is no buffer %d", buffer_index);
    return kTfLiteError;
  }
  CalculateOffsetsIfNeeded();
  *offset = buffer_offsets_[buffer_index];
  return kTfLiteOk;
}

}  // namespace tflite
#endif
