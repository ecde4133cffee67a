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
#include <type_traits>

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

// The channels whose constants are kept in registers.
template <class Floats>
constexpr int kChunk = Floats::lanes >= 4 ? 32 : 8;
// Pixels whose channels are finished chunk after chunk, while they are in the cache.
constexpr int kPixelsInCache = 64;

// Puts the bits of some channels, of which those of the first ones are there, into a word.
inline void put_bits(uint32_t* words, int channel, uint32_t bits) {
  uint32_t& word = words[channel / 32];
  word = channel % 32 == 0 ? bits : word | bits << channel % 32;
}

// Calls finish(first channel, floats, number of vectors) for all channels.
template <class Floats, class Chunk>
inline void for_chunks(int channels, const Chunk& finish_chunk) {
  constexpr int kVectors = kChunk<Floats> / Floats::lanes;
  int channel = 0;
  for (; channel + kChunk<Floats> <= channels; channel += kChunk<Floats>) {
    finish_chunk(channel, Floats(), std::integral_constant<int, kVectors>());
  }
  if (channel + 16 <= channels) {
    finish_chunk(channel, Floats(), std::integral_constant<int, 16 / Floats::lanes>());
    channel += 16;
  }
  for (; channel + Floats::lanes <= channels; channel += Floats::lanes) {
    finish_chunk(channel, Floats(), std::integral_constant<int, 1>());
  }
  for (; channel < channels; ++channel) {
    finish_chunk(channel, SingleFloat(), std::integral_constant<int, 1>());
  }
}

// Multiplication and addition round one after the other, as in the engine. What is absent is a template
// parameter, so that nothing is asked within the loop.
template <class F, int kVectors, class Input, bool kClampCount, bool kScale, bool kResidual,
          bool kSlopes>
inline void finish_chunk(const Input* inputs, const Finish& finish, int channel, int first,
                         int last) {
  using Value = typename F::Value;
  Value multiplier[kVectors], bias[kVectors], slopes[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    if (kScale) multiplier[i] = F::load(finish.multiplier + channel + i * F::lanes);
    if (kScale) bias[i] = F::load(finish.bias + channel + i * F::lanes);
    if (kSlopes) slopes[i] = F::load(finish.slopes + channel + i * F::lanes);
  }
  const Value lowest = F::fill(finish.lowest), highest = F::fill(finish.highest);
  const auto finish_pixel = [&](int pixel, auto correct) {
    const size_t at = pixel * finish.output_stride + channel;
    uint32_t bits = 0;
    for (int i = 0; i < kVectors; ++i) {
      const int lane = i * F::lanes;
      Value x = F::load(inputs + pixel * finish.input_stride + channel + lane);
      if (correct.value) x = F::add(x, F::load(finish.corrections[pixel] + channel + lane));
      if (kClampCount) {
        x = F::clamp(x, F::fill(finish.lowest_count), F::fill(finish.highest_count));
      }
      if (kScale) x = F::add(F::multiply(x, multiplier[i]), bias[i]);
      if (kResidual) x = F::add(x, F::load(finish.residual + at + lane));
      if (kSlopes) x = F::scale_below_zero(x, slopes[i]);
      x = F::clamp(x, lowest, highest);
      if (finish.values != nullptr) F::store(finish.values + at + lane, x);
      if (finish.bits != nullptr) bits |= F::below_zero(x) << lane;
    }
    if (finish.bits != nullptr) put_bits(finish.bits + pixel * finish.bits_stride, channel, bits);
  };
  for (int pixel = first; pixel < last; ++pixel) {
    if (kScale && finish.corrections != nullptr && finish.corrections[pixel] != nullptr) {
      finish_pixel(pixel, std::true_type());
    } else {
      finish_pixel(pixel, std::false_type());
    }
  }
}

template <class Floats, class Input, bool kClampCount, bool kScale, bool kResidual, bool kSlopes>
void finish_all(const Input* inputs, const Finish& given) {
  const Finish finish = given;  // which no value that is stored can change
  for (int first = 0; first < finish.pixels; first += kPixelsInCache) {
    const int left = finish.pixels - first;
    const int last = first + (left < kPixelsInCache ? left : kPixelsInCache);
    for_chunks<Floats>(finish.channels, [&](int channel, auto floats, auto vectors) {
      finish_chunk<decltype(floats), vectors.value, Input, kClampCount, kScale, kResidual,
                   kSlopes>(inputs, finish, channel, first, last);
    });
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
  for_chunks<Floats>(finish.channels, [&](int channel, auto floats, auto vectors) {
    using F = decltype(floats);
    for (int pixel = 0; pixel < finish.pixels; ++pixel) {
      const float* correction =
          finish.corrections == nullptr ? nullptr : finish.corrections[pixel];
      uint32_t bits = 0;
      for (int i = 0; i < vectors.value; ++i) {
        const int at = channel + i * F::lanes;
        auto x = F::load(counts + pixel * finish.input_stride + at);
        if (correction != nullptr) x = F::add(x, F::load(correction + at));
        bits |= F::above(x, thresholds + at) << i * F::lanes;
      }
      put_bits(finish.bits + pixel * finish.bits_stride, channel, bits);
    }
  });
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
