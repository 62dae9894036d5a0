// SPDX-License-Identifier: Apache-2.0
// Sends what operators left in the arena, as far as the host asks for it, in the first run.
#ifndef RUNNER_LAYER_SENDER_H_
#define RUNNER_LAYER_SENDER_H_

#include "runner/arena.h"
#include "src/blob.h"

namespace runner {

class LayerSender {
 public:
  // `places` lists parts of this arena, or is null.
  void Prepare(const BlobHeader* places, const Arena& arena);
  void SendAfter(int32_t subgraph, int32_t index) const;
  void Stop() { places_ = nullptr; }

 private:
  const BlobHeader* places_ = nullptr;
  Arena arena_ = {};
};

// The one sender: the hooks of operators have no other way to find it.
extern LayerSender layer_sender;

}  // namespace runner

#endif  // RUNNER_LAYER_SENDER_H_
