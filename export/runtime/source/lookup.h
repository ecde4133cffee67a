// Counts differing bits by looking them up, made from what a processor's vectors of bytes can do.
//
// A `Vector` has: `lanes`, the filters in it; `windows`, how often these filters are in it; the type
// `Bytes` with zero(), load(weights), row(bytes) for the table's rows of as many windows, look_up(row,
// weights), add(a, b), upper_halves(a), the upper half of each byte, and first(sums, upper), which
// takes 16 times the second off the first; and store<add>(bytes, counts, stride), which writes the
// counts of each window, the even lanes first, and adds them to those that are there.
//
// As in finish.h, everything has internal linkage.
#pragma once

#include <cstring>
#include <type_traits>

#include "backend.h"
#include "finish.h"

namespace recu {
namespace {

// Each half of a byte has room for the differences of so many steps, four at most each.
constexpr int kStepsInHalf = 3;
// And a byte for so many of these.
constexpr int kMostSteps = 21 * kStepsInHalf;

template <class Vector, int kGroups, int kVectors, bool kAdd>
inline void count_segment(const uint8_t* weights, const uint8_t* const* windows,
                          const Segment& segment, uint16_t* counts) {
  using Bytes = typename Vector::Bytes;
  constexpr int kWidth = kVectors * Vector::lanes;
  Bytes sums[kGroups][kVectors], upper[kGroups][kVectors];
  const uint8_t* input[kGroups * Vector::windows];
  for (int i = 0; i < kGroups * Vector::windows; ++i) input[i] = windows[i] + segment.offset;
  for (int group = 0; group < kGroups; ++group) {
    for (int vector = 0; vector < kVectors; ++vector) {
      sums[group][vector] = upper[group][vector] = Vector::zero();
    }
  }
  const auto take_steps = [&](int first, auto steps) {
    Bytes rows[kGroups][kStepsInHalf];
    for (int group = 0; group < kGroups; ++group) {
      for (int step = 0; step < steps.value; ++step) {
        rows[group][step] = Vector::row(input + group * Vector::windows, first + step);
      }
    }
    for (int vector = 0; vector < kVectors; ++vector) {
      for (int group = 0; group < kGroups; ++group) {
        const uint8_t* of_vector = weights + vector * Vector::lanes;
        Bytes some = Vector::look_up(rows[group][0], Vector::load(of_vector));
        for (int step = 1; step < steps.value; ++step) {
          some = Vector::add(some, Vector::look_up(rows[group][step],
                                                   Vector::load(of_vector + step * kWidth)));
        }
        sums[group][vector] = Vector::add(sums[group][vector], some);
        upper[group][vector] = Vector::add(upper[group][vector], Vector::upper_halves(some));
      }
    }
    weights += steps.value * kWidth;
  };
  for (int32_t row = 0; row < segment.rows; ++row) {
    int step = 0;
    for (; step + kStepsInHalf <= segment.length; step += kStepsInHalf) {
      take_steps(step, std::integral_constant<int, kStepsInHalf>());
    }
    for (; step < segment.length; ++step) take_steps(step, std::integral_constant<int, 1>());
    for (const uint8_t*& bytes : input) bytes += segment.row_stride;
  }
  for (int group = 0; group < kGroups; ++group) {
    for (int vector = 0; vector < kVectors; ++vector) {
      uint16_t* of_vector =
          counts + group * Vector::windows * 2 * kWidth + vector * Vector::lanes;
      const Bytes first = Vector::first(sums[group][vector], upper[group][vector]);
      Vector::template store<kAdd>(first, of_vector, 2 * kWidth);
      Vector::template store<kAdd>(upper[group][vector], of_vector + kWidth, 2 * kWidth);
    }
  }
}

template <class Vector, int kGroups, int kVectors>
void count_by_lookup(const uint8_t* weights, const uint8_t* const* windows, int window_count,
                     const Segment* segments, size_t segment_count, uint16_t* counts) {
  constexpr int kWindows = kGroups * Vector::windows;
  static_assert(kWindowsTogether % kWindows == 0, "windows are filled up to a multiple of it");
  constexpr int kWidth = kVectors * Vector::lanes;
  for (size_t number = 0; number < segment_count; ++number) {
    const Segment& segment = segments[number];
    const uint8_t* of_segment = weights + segment.first_step * kWidth;
    for (int window = 0; window < window_count; window += kWindows) {
      uint16_t* of_windows = counts + window * 2 * kWidth;
      if (number == 0) {
        count_segment<Vector, kGroups, kVectors, false>(of_segment, windows + window, segment,
                                                        of_windows);
      } else {
        count_segment<Vector, kGroups, kVectors, true>(of_segment, windows + window, segment,
                                                       of_windows);
      }
    }
  }
}

// Four channels to a byte.
inline void spread_to_halves(const uint32_t* pixels, int count, int channels, uint8_t* bytes) {
  const int words = words_of(channels), used = (channels + 3) / 4;
  if (channels % 32 == 0) {
    const uint8_t* packed = reinterpret_cast<const uint8_t*>(pixels);
    const size_t packed_bytes = static_cast<size_t>(count) * words * 4;
    for (size_t i = 0; i < packed_bytes; ++i) {
      bytes[2 * i] = packed[i] & 15;
      bytes[2 * i + 1] = packed[i] >> 4;
    }
    return;
  }
  if (used == 4) {  // a loop of which the compiler makes vectors, for networks that begin with 16
    for (int pixel = 0; pixel < count; ++pixel) {
      uint32_t spread = pixels[pixel] & 0xffff;
      spread = (spread | spread << 8) & 0x00ff00ff;
      spread = (spread | spread << 4) & 0x0f0f0f0f;
      std::memcpy(bytes + 4 * pixel, &spread, sizeof spread);
    }
    return;
  }
  // The next pixel overwrites what a word has beyond the channels.
  for (int pixel = 0; pixel < count; ++pixel, bytes += used) {
    for (int word = 0; word < words; ++word) {
      uint64_t spread = *pixels++;
      spread = (spread | spread << 16) & 0x0000ffff0000ffff;
      spread = (spread | spread << 8) & 0x00ff00ff00ff00ff;
      spread = (spread | spread << 4) & 0x0f0f0f0f0f0f0f0f;
      std::memcpy(bytes + 8 * word, &spread, sizeof spread);
    }
  }
}

inline void pair_halves(uint8_t* bytes, size_t count, size_t distance) {
  // What is read lies in front of nothing that is written before.
#pragma GCC ivdep
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<uint8_t>(bytes[i] | bytes[i + distance] << 4);
  }
}

// A backend that looks counts up with one kind of vectors. It is evaluated by the compiler: code of its
// own would run on every processor.
template <class Vector, class Floats, int... kWidths>
constexpr Backend lookup_backend(const char* name, decltype(Backend::count) count) {
  return {name,
          /*channels_per_byte=*/4,
          /*bytes_per_step=*/1,
          /*pixels_per_window=*/2,
          kMostSteps,
          {kWidths...},
          /*interleaved=*/Vector::lanes,
          spread_to_halves,
          pair_halves,
          count,
          finish_counts<Floats>,
          finish_values<Floats>,
          compare<Floats>,
          pool_row};
}

}  // namespace
}  // namespace recu
