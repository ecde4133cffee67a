// The backend for x86-64 processors with AVX-512 VPOPCNTDQ as well, which counts the bits of words.
#include <climits>

#include "vectors_avx512.h"

namespace recu {
namespace {

constexpr int kLanes = 16;
constexpr int kWindows = kWindowsTogether;

template <int kVectors>
inline void count_segment_of_words(const uint8_t* weights, const uint8_t* const* windows,
                                   const Segment& segment, bool adds, uint16_t* counts) {
  __m512i sums[kWindows][kVectors];
  const uint8_t* input[kWindows];
  for (int window = 0; window < kWindows; ++window) {
    input[window] = windows[window] + segment.offset;
    for (int vector = 0; vector < kVectors; ++vector) {
      sums[window][vector] = _mm512_setzero_si512();
    }
  }
  const auto take_step = [&](int step, uint32_t mask) {
    __m512i of_step[kVectors];
    for (int vector = 0; vector < kVectors; ++vector) {
      of_step[vector] = _mm512_loadu_si512(weights + vector * 64);
    }
    weights += kVectors * 64;
    for (int window = 0; window < kWindows; ++window) {
      uint32_t word;
      std::memcpy(&word, input[window] + 4 * step, sizeof word);
      const __m512i bits = _mm512_set1_epi32(static_cast<int>(word & mask));
      for (int vector = 0; vector < kVectors; ++vector) {
        const __m512i differing = _mm512_xor_si512(bits, of_step[vector]);
        sums[window][vector] =
            _mm512_add_epi32(sums[window][vector], _mm512_popcnt_epi32(differing));
      }
    }
  };
  for (int32_t row = 0; row < segment.rows; ++row) {
    for (int32_t step = 0; step < segment.length; ++step) take_step(step, ~0u);
    // Weights are zero where the mask is.
    if (segment.last_mask != 0) take_step(segment.length, segment.last_mask);
    for (const uint8_t*& bytes : input) bytes += segment.row_stride;
  }
  for (int window = 0; window < kWindows; ++window) {
    for (int vector = 0; vector < kVectors; ++vector) {
      __m256i* at = reinterpret_cast<__m256i*>(counts + (window * kVectors + vector) * kLanes);
      const __m256i some = _mm512_cvtepi32_epi16(sums[window][vector]);
      _mm256_storeu_si256(at, adds ? _mm256_add_epi16(some, _mm256_loadu_si256(at)) : some);
    }
  }
}

template <int kVectors>
void count_words(const uint8_t* weights, const uint8_t* const* windows, int window_count,
                 const Segment* segments, size_t segment_count, uint16_t* counts) {
  for (size_t number = 0; number < segment_count; ++number) {
    const Segment& segment = segments[number];
    const uint8_t* of_segment = weights + segment.first_step * kVectors * 64;
    for (int window = 0; window < window_count; window += kWindows) {
      count_segment_of_words<kVectors>(of_segment, windows + window, segment, number > 0,
                                       counts + window * kVectors * kLanes);
    }
  }
}

void count(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  const auto count_windows = width == 64   ? count_words<4>
                             : width == 32 ? count_words<2>
                                           : count_words<1>;
  count_windows(weights, windows, window_count, segments, segment_count, counts);
}

// Eight channels to a byte.
void spread_to_bytes(const uint32_t* pixels, int count, int channels, uint8_t* bytes) {
  const int words = words_of(channels), used = (channels + 7) / 8;
  if (channels % 32 == 0) {
    std::memcpy(bytes, pixels, static_cast<size_t>(count) * used);
    return;
  }
  // The next pixel overwrites what a word has beyond the channels.
  for (int pixel = 0; pixel < count; ++pixel, bytes += used) {
    for (int word = 0; word < words; ++word) std::memcpy(bytes + 4 * word, pixels++, 4);
  }
}

}  // namespace

extern const Backend popcount_backend;
const Backend popcount_backend = {"AVX-512 VPOPCNTDQ",
                                  /*channels_per_byte=*/8,
                                  /*bytes_per_step=*/4,
                                  /*pixels_per_window=*/1,
                                  /*most_steps=*/INT_MAX,
                                  {64, 32, 16},
                                  /*interleaved=*/1,
                                  spread_to_bytes,
                                  /*pair=*/nullptr,
                                  count,
                                  finish_counts<Avx512Floats>,
                                  finish_values<Avx512Floats>,
                                  compare<Avx512Floats>,
                                  pool_row};

}  // namespace recu
