// SPDX-License-Identifier: Apache-2.0
#include "runner/layer_sender.h"

#include <cstring>

#include "src/benchmark_protocol.h"

namespace runner {

LayerSender layer_sender;

namespace {

uint32_t CountOf(const BlobHeader* places) { return places->payload_bytes / sizeof(LayerPlace); }

LayerPlace PlaceIn(const BlobHeader* places, uint32_t i) {
  LayerPlace place;
  std::memcpy(&place, blob_payload(places) + i * sizeof(place), sizeof(place));
  return place;
}

}  // namespace

void LayerSender::Prepare(const BlobHeader* places, const Arena& arena) {
  if (places == nullptr) return;
  for (uint32_t i = 0; i < CountOf(places); ++i) {
    const LayerPlace place = PlaceIn(places, i);
    if (place.offset > arena.bytes || place.bytes > arena.bytes - place.offset) {
      fail("layer_place", i);
    }
  }
  places_ = places;
  arena_ = arena;
}

void LayerSender::SendAfter(int32_t subgraph, int32_t index) const {
  if (places_ == nullptr || subgraph != 0) return;
  for (uint32_t i = 0; i < CountOf(places_); ++i) {
    const LayerPlace place = PlaceIn(places_, i);
    if (place.operator_index != static_cast<uint32_t>(index)) continue;
    send_data("layer", 0, i, arena_.start + place.offset, place.bytes);
  }
}

}  // namespace runner
