// The backend of a processor, made from what its vectors of bytes can do.
//
// A `Vector` has: `lanes`; `pixels_for(vectors)`, how many windows share a load of weights; the type
// `Bytes` with zero(), load(bytes), row(nibble) for a row of the table, look_up(row, weights) and
// add(a, b); widen<add>(bytes, counts), which writes the even lanes' bytes behind each other, then the
// odd ones'; and signs<count>(values), the bits of 32, 8 or 1 values, set where one is below zero.
//
// Everything here has internal linkage: each backend is compiled with the instructions of its processor,
// and none of these functions may be shared with the code that runs everywhere.
#pragma once

#include <type_traits>

#include "backend.h"

namespace recu {
namespace {

template <class Vector, int kPixels, int kVectors, bool kAdd>
inline void count_segment(const uint8_t* weights, const uint8_t* const* windows,
                          const Segment& segment, uint16_t* counts) {
  typename Vector::Bytes sums[kPixels][kVectors];
  const uint8_t* input[kPixels];
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    input[pixel] = windows[pixel] + segment.offset;
    for (int vector = 0; vector < kVectors; ++vector) sums[pixel][vector] = Vector::zero();
  }
  for (int32_t row = 0; row < segment.rows; ++row) {
    for (int32_t step = 0; step < segment.length; ++step) {
      typename Vector::Bytes of_step[kVectors];
      for (int vector = 0; vector < kVectors; ++vector) {
        of_step[vector] = Vector::load(weights + vector * Vector::lanes);
      }
      weights += kVectors * Vector::lanes;
      for (int pixel = 0; pixel < kPixels; ++pixel) {
        const auto table_row = Vector::row(input[pixel][step]);
        for (int vector = 0; vector < kVectors; ++vector) {
          sums[pixel][vector] =
              Vector::add(sums[pixel][vector], Vector::look_up(table_row, of_step[vector]));
        }
      }
    }
    for (int pixel = 0; pixel < kPixels; ++pixel) input[pixel] += segment.row_stride;
  }
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    for (int vector = 0; vector < kVectors; ++vector) {
      Vector::template widen<kAdd>(sums[pixel][vector],
                                   counts + (pixel * kVectors + vector) * Vector::lanes);
    }
  }
}

template <class Vector, int kVectors>
inline void count_block(const uint8_t* weights, const uint8_t* const* windows, int pixels,
                        const Segment* segments, size_t segment_count, uint16_t* counts) {
  constexpr int kPixels = Vector::pixels_for(kVectors);
  for (size_t number = 0; number < segment_count; ++number) {
    const Segment& segment = segments[number];
    const uint8_t* of_segment = weights + segment.first_step * kVectors * Vector::lanes;
    for (int pixel = 0; pixel < pixels; pixel += kPixels) {
      uint16_t* of_pixels = counts + pixel * kVectors * Vector::lanes;
      if (number == 0) {
        count_segment<Vector, kPixels, kVectors, false>(of_segment, windows + pixel, segment,
                                                        of_pixels);
      } else {
        count_segment<Vector, kPixels, kVectors, true>(of_segment, windows + pixel, segment,
                                                       of_pixels);
      }
    }
  }
}

template <class Vector>
void count(const uint8_t* weights, int vectors, const uint8_t* const* windows, int pixels,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  if (vectors == 4) {
    count_block<Vector, 4>(weights, windows, pixels, segments, segment_count, counts);
  } else if (vectors == 2) {
    count_block<Vector, 2>(weights, windows, pixels, segments, segment_count, counts);
  } else {
    count_block<Vector, 1>(weights, windows, pixels, segments, segment_count, counts);
  }
}

// Multiplication and addition round one after the other, as in the engine: contraction is switched off
// in the build. What is absent is a template parameter, and the number of channels at a time a constant,
// so that the compiler makes vectors of these loops.
template <class Vector, class Input, bool kClampCount, bool kScale, bool kCorrect, bool kResidual,
          int kChannels>
inline uint32_t finish_channels(const Input* inputs, const Finish& finish, int channel,
                                const float* correction, const float* residual, float* values) {
  float results[kChannels];
  for (int i = 0; i < kChannels; ++i) {
    float x = static_cast<float>(inputs[channel + i]);
    if (kCorrect) x = x + correction[channel + i];
    if (kClampCount) {
      x = x < finish.highest_count ? x : finish.highest_count;
      x = x > finish.lowest_count ? x : finish.lowest_count;
    }
    if (kScale) {
      x = x * finish.multiplier[channel + i];
      x = x + finish.bias[channel + i];
    }
    if (kResidual) x = x + residual[channel + i];
    x = x < finish.lowest ? finish.lowest : x;  // what is not a number stays that
    x = x > finish.highest ? finish.highest : x;
    results[i] = x;
  }
  if (values != nullptr) {
    for (int i = 0; i < kChannels; ++i) values[channel + i] = results[i];
  }
  return Vector::template signs<kChannels>(results);
}

// Calls part<channels>(first channel) for all channels of a pixel, and puts the bits that it returns
// into words.
template <class Part>
inline void for_channels(int channels, uint32_t* bits, const Part& part) {
  int channel = 0;
  for (; channel + 32 <= channels; channel += 32) {
    const uint32_t word = part(channel, std::integral_constant<int, 32>());
    if (bits != nullptr) bits[channel / 32] = word;
  }
  if (channel == channels) return;
  uint32_t word = 0;
  const int first = channel;
  for (; channel + 8 <= channels; channel += 8) {
    word |= part(channel, std::integral_constant<int, 8>()) << (channel - first);
  }
  for (; channel < channels; ++channel) {
    word |= part(channel, std::integral_constant<int, 1>()) << (channel - first);
  }
  if (bits != nullptr) bits[first / 32] = word;
}

template <class Vector, class Input, bool kClampCount, bool kScale, bool kCorrect, bool kResidual>
inline void finish_pixel(const Input* inputs, const Finish& finish, size_t pixel) {
  const float* correction = kCorrect ? finish.corrections[pixel] : nullptr;
  const float* residual = kResidual ? finish.residual + pixel * finish.output_stride : nullptr;
  float* values = finish.values == nullptr ? nullptr : finish.values + pixel * finish.output_stride;
  uint32_t* bits = finish.bits == nullptr ? nullptr : finish.bits + pixel * finish.bits_stride;
  const Input* of_pixel = inputs + pixel * finish.input_stride;
  for_channels(finish.channels, bits, [&](int channel, auto some) {
    return finish_channels<Vector, Input, kClampCount, kScale, kCorrect, kResidual, some.value>(
        of_pixel, finish, channel, correction, residual, values);
  });
}

template <class Vector, class Input, bool kClampCount, bool kScale, bool kResidual>
void finish_all(const Input* inputs, const Finish& finish) {
  for (int pixel = 0; pixel < finish.pixels; ++pixel) {
    if (kScale && finish.corrections != nullptr && finish.corrections[pixel] != nullptr) {
      finish_pixel<Vector, Input, kClampCount, true, true, kResidual>(inputs, finish, pixel);
    } else {
      finish_pixel<Vector, Input, kClampCount, kScale, false, kResidual>(inputs, finish, pixel);
    }
  }
}

template <class Vector>
void finish_counts(const uint16_t* counts, const Finish& finish) {
  if (finish.clamps_count) {
    finish_all<Vector, uint16_t, true, true, false>(counts, finish);
  } else if (finish.residual != nullptr) {
    finish_all<Vector, uint16_t, false, true, true>(counts, finish);
  } else {
    finish_all<Vector, uint16_t, false, true, false>(counts, finish);
  }
}

template <class Vector>
void finish_values(const float* values, const Finish& finish) {
  if (finish.multiplier != nullptr && finish.residual != nullptr) {
    finish_all<Vector, float, false, true, true>(values, finish);
  } else if (finish.multiplier != nullptr) {
    finish_all<Vector, float, false, true, false>(values, finish);
  } else if (finish.residual != nullptr) {
    finish_all<Vector, float, false, false, true>(values, finish);
  } else {
    finish_all<Vector, float, false, false, false>(values, finish);
  }
}

template <class Vector>
void compare(const uint16_t* counts, const int32_t* thresholds, const Finish& finish) {
  for (int pixel = 0; pixel < finish.pixels; ++pixel) {
    const uint16_t* of_pixel = counts + pixel * finish.input_stride;
    uint32_t* bits = finish.bits + pixel * finish.bits_stride;
    const float* correction =
        finish.corrections == nullptr ? nullptr : finish.corrections[pixel];
    for_channels(finish.channels, bits, [&](int channel, auto some) {
      float below_zero[some.value];
      for (int i = 0; i < some.value; ++i) {
        below_zero[i] = of_pixel[channel + i] > thresholds[channel + i] ? -1.0f : 1.0f;
      }
      for (int i = 0; correction != nullptr && i < some.value; ++i) {
        const float count = static_cast<float>(of_pixel[channel + i]) + correction[channel + i];
        below_zero[i] = count > static_cast<float>(thresholds[channel + i]) ? -1.0f : 1.0f;
      }
      return Vector::template signs<some.value>(below_zero);
    });
  }
}

template <class Vector>
constexpr Backend make_backend(const char* name, void (*expand)(const uint8_t*, size_t, uint8_t*)) {
  return Backend{name,
                 Vector::lanes,
                 count<Vector>,
                 finish_counts<Vector>,
                 finish_values<Vector>,
                 compare<Vector>,
                 expand};
}

inline void expand_bytes(const uint8_t* bits, size_t bytes, uint8_t* nibbles) {
  for (size_t byte = 0; byte < bytes; ++byte) {
    nibbles[2 * byte] = static_cast<uint8_t>(bits[byte] << 4);
    nibbles[2 * byte + 1] = bits[byte] & 0xf0;
  }
}

}  // namespace
}  // namespace recu
