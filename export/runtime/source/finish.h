// Turns counts and values into outputs, made from what a processor's vectors of floats can do.
//
// `Floats` has: `Value`, a vector; `lanes`; load(counts) and load(values); store(values, x);
// multiply, add; clamp(x, lowest, highest), which keeps what is not a number; scale_below_zero(x,
// slopes); below_zero(x) and above(counts, thresholds), a bit for each lane.
//
// Everything here has internal linkage, and uses no templates of the standard library: each backend is
// compiled with the instructions of its processor, and none of these functions may be shared with the
// code that runs everywhere.
#pragma once

#include <cstring>

#include "backend.h"

namespace recu {
namespace {

// The channels that do not fill a vector.
struct SingleFloat {
  using Value = float;
  static constexpr int lanes = 1;

  static Value load(const uint16_t* counts) { return static_cast<float>(*counts); }
  static Value load(const float* values) { return *values; }
  static Value fill(float x) { return x; }
  static void store(float* values, Value x) { *values = x; }
  static Value multiply(Value x, Value y) { return x * y; }
  static Value add(Value x, Value y) { return x + y; }
  static Value clamp(Value x, Value lowest, Value highest) {
    x = x < lowest ? lowest : x;
    return x > highest ? highest : x;
  }
  static Value scale_below_zero(Value x, Value slope) { return x >= 0 ? x : x * slope; }
  static uint32_t below_zero(Value x) { return x < 0; }
  static uint32_t above(Value counts, const int32_t* thresholds) {
    return counts > static_cast<float>(*thresholds);
  }
};

// Calls part<floats>(first channel) for all channels of a pixel, and puts the bits that it returns into
// words.
template <class Floats, class Part>
inline void for_channels(int channels, uint32_t* bits, const Part& part) {
  int channel = 0;
  for (; channel + 32 <= channels; channel += 32) {
    uint32_t word = 0;
    for (int i = 0; i < 32; i += Floats::lanes) word |= part(channel + i, Floats()) << i;
    if (bits != nullptr) bits[channel / 32] = word;
  }
  if (channel == channels) return;
  uint32_t word = 0;
  const int first = channel;
  for (; channel + Floats::lanes <= channels; channel += Floats::lanes) {
    word |= part(channel, Floats()) << (channel - first);
  }
  for (; channel < channels; ++channel) word |= part(channel, SingleFloat()) << (channel - first);
  if (bits != nullptr) bits[first / 32] = word;
}

// Multiplication and addition round one after the other, as in the engine. What is absent is a template
// parameter, so that nothing is asked within the loop.
template <class Floats, class Input, bool kClampCount, bool kScale, bool kCorrect, bool kResidual,
          bool kSlopes>
inline void finish_pixel(const Input* inputs, const Finish& finish, size_t pixel) {
  const float* correction = kCorrect ? finish.corrections[pixel] : nullptr;
  const float* residual = kResidual ? finish.residual + pixel * finish.output_stride : nullptr;
  float* values = finish.values == nullptr ? nullptr : finish.values + pixel * finish.output_stride;
  uint32_t* bits = finish.bits == nullptr ? nullptr : finish.bits + pixel * finish.bits_stride;
  const Input* of_pixel = inputs + pixel * finish.input_stride;
  for_channels<Floats>(finish.channels, bits, [&](int channel, auto floats) {
    using F = decltype(floats);
    auto x = F::load(of_pixel + channel);
    if (kCorrect) x = F::add(x, F::load(correction + channel));
    if (kClampCount) {
      x = F::clamp(x, F::fill(finish.lowest_count), F::fill(finish.highest_count));
    }
    if (kScale) {
      x = F::multiply(x, F::load(finish.multiplier + channel));
      x = F::add(x, F::load(finish.bias + channel));
    }
    if (kResidual) x = F::add(x, F::load(residual + channel));
    if (kSlopes) x = F::scale_below_zero(x, F::load(finish.slopes + channel));
    x = F::clamp(x, F::fill(finish.lowest), F::fill(finish.highest));
    if (values != nullptr) F::store(values + channel, x);
    return F::below_zero(x);
  });
}

template <class Floats, class Input, bool kClampCount, bool kScale, bool kResidual, bool kSlopes>
void finish_all(const Input* inputs, const Finish& finish) {
  for (int pixel = 0; pixel < finish.pixels; ++pixel) {
    if (kScale && finish.corrections != nullptr && finish.corrections[pixel] != nullptr) {
      finish_pixel<Floats, Input, kClampCount, true, true, kResidual, kSlopes>(inputs, finish, pixel);
    } else {
      finish_pixel<Floats, Input, kClampCount, kScale, false, kResidual, kSlopes>(inputs, finish,
                                                                                 pixel);
    }
  }
}

template <class Floats, class Input, bool kScale>
void finish_any(const Input* inputs, const Finish& finish) {
  if (finish.residual != nullptr && finish.slopes != nullptr) {
    finish_all<Floats, Input, false, kScale, true, true>(inputs, finish);
  } else if (finish.residual != nullptr) {
    finish_all<Floats, Input, false, kScale, true, false>(inputs, finish);
  } else if (finish.slopes != nullptr) {
    finish_all<Floats, Input, false, kScale, false, true>(inputs, finish);
  } else {
    finish_all<Floats, Input, false, kScale, false, false>(inputs, finish);
  }
}

template <class Floats>
void finish_counts(const uint16_t* counts, const Finish& finish) {
  if (finish.clamps_count) {
    finish_all<Floats, uint16_t, true, true, false, false>(counts, finish);
  } else {
    finish_any<Floats, uint16_t, true>(counts, finish);
  }
}

template <class Floats>
void finish_values(const float* values, const Finish& finish) {
  if (finish.multiplier != nullptr) {
    finish_any<Floats, float, true>(values, finish);
  } else {
    finish_any<Floats, float, false>(values, finish);
  }
}

template <class Floats>
void compare(const uint16_t* counts, const int32_t* thresholds, const Finish& finish) {
  for (int pixel = 0; pixel < finish.pixels; ++pixel) {
    const uint16_t* of_pixel = counts + pixel * finish.input_stride;
    uint32_t* bits = finish.bits + pixel * finish.bits_stride;
    const float* correction =
        finish.corrections == nullptr ? nullptr : finish.corrections[pixel];
    for_channels<Floats>(finish.channels, bits, [&](int channel, auto floats) {
      using F = decltype(floats);
      auto x = F::load(of_pixel + channel);
      if (correction != nullptr) x = F::add(x, F::load(correction + channel));
      return F::above(x, thresholds + channel);
    });
  }
}

inline void pool_row(const float* image, const Axis& rows, const Axis& columns, int channels,
                     bool largest, int row, float* outputs) {
  const int top = row * rows.stride - rows.before, bottom = top + rows.size;
  const int first_row = top < 0 ? 0 : top, last_row = bottom < rows.input ? bottom : rows.input;
  for (int column = 0; column < columns.output; ++column, outputs += channels) {
    const int left = column * columns.stride - columns.before, right = left + columns.size;
    const int first = left < 0 ? 0 : left, last = right < columns.input ? right : columns.input;
    const float* in = image + (static_cast<size_t>(first_row) * columns.input + first) * channels;
    const float before = largest ? -__builtin_inff() : 0.0f;
    for (int i = 0; i < channels; ++i) outputs[i] = before;
    for (int y = first_row; y < last_row; ++y) {
      for (int x = first; x < last; ++x, in += channels) {
        if (largest) {
          for (int i = 0; i < channels; ++i) outputs[i] = outputs[i] < in[i] ? in[i] : outputs[i];
        } else {
          for (int i = 0; i < channels; ++i) outputs[i] += in[i];
        }
      }
      in += static_cast<size_t>(columns.input - (last - first)) * channels;
    }
    if (largest) continue;
    const float count = static_cast<float>((last_row - first_row) * (last - first));
    for (int i = 0; i < channels; ++i) outputs[i] /= count;
  }
}

}  // namespace
}  // namespace recu
