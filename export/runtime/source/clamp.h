// The activations that limit values.
#pragma once

#include <limits>
#include <optional>

#include "tflite.h"

namespace recu {

struct Clamp {
  float lowest = -std::numeric_limits<float>::infinity();
  float highest = std::numeric_limits<float>::infinity();
};

// What an activation, kTfLiteAct..., limits values to; nothing for one that is no clamp.
inline std::optional<Clamp> clamp_of(int activation) {
  switch (activation) {
    case kTfLiteActNone:
      return Clamp{};
    case kTfLiteActRelu:
      return Clamp{0};
    case kTfLiteActReluN1To1:
      return Clamp{-1, 1};
    case kTfLiteActRelu6:
      return Clamp{0, 6};
    default:
      return std::nullopt;
  }
}

}  // namespace recu
