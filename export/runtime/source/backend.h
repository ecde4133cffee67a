// What depends on the processor: counting bits that differ, and turning counts into outputs.
//
// Weights are laid out for a table lookup. A step is four input bits of every filter; the four bits of
// one filter lie in the lower half of a byte, and `lanes` filters make a vector. The input has four bits
// in the upper half of a byte, where they are the offset of a row of `difference_table`: of row a, entry
// w is how many of the four bits of a and w differ. One byte shuffle looks that up for all lanes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recu {

// Filters that a block of weights has at most: four vectors of the widest backend.
constexpr int kMaxBlock = 256;
// Steps whose differences, four at most each, fit into a byte.
constexpr int kMaxSteps = 63;
// Pixels of which counts are kept at a time.
constexpr int kTilePixels = 64;

// Steps that lie behind each other in the input: `length` in each of `rows` rows.
struct Segment {
  int64_t offset;      // from the first byte of a window, in bytes
  int64_t row_stride;  // between rows, in bytes
  int32_t rows;
  int32_t length;
  int64_t first_step;  // of the weights
};

// What happens to each value of several pixels, in this order. Null pointers are left out.
struct Finish {
  int pixels;
  int channels;
  size_t input_stride;   // between pixels, in values
  size_t output_stride;  // of `residual` and `values`
  size_t bits_stride;    // in words
  const float* const* corrections = nullptr; // of each pixel, per channel, added to the counts; may be
                                             // null for a pixel
  // An activation that is fused before the multiplier, as a clamp of counts.
  bool clamps_count = false;
  float lowest_count = 0;
  float highest_count = 0;
  const float* multiplier = nullptr;         // per channel
  const float* bias = nullptr;               // per channel
  const float* residual = nullptr;           // per value, added
  float lowest;                              // clamps the sum
  float highest;
  float* values = nullptr;
  uint32_t* bits = nullptr;  // whether the result is below zero
};

struct Backend {
  const char* name;
  int lanes;

  // Counts differing bits of `pixels` windows and `vectors` vectors of filters. `windows` has the first
  // byte of each window, and has to be filled up to a multiple of eight; `counts` has space for as many.
  // Counts of a window are in the order of the filters.
  void (*count)(const uint8_t* weights, int vectors, const uint8_t* const* windows, int pixels,
                const Segment* segments, size_t segment_count, uint16_t* counts);

  void (*finish_counts)(const uint16_t* counts, const Finish& finish);
  void (*finish_values)(const float* values, const Finish& finish);

  // Bit of a channel: whether its count is above the threshold. Uses only sizes, `corrections` and `bits`
  // of `finish`.
  void (*compare)(const uint16_t* counts, const int32_t* thresholds, const Finish& finish);

  // Four bits to the upper half of a byte each, in their order.
  void (*expand)(const uint8_t* bits, size_t bytes, uint8_t* nibbles);
};

// 16 rows of 16 bytes.
extern const uint8_t difference_table[256];

constexpr int kMostBackends = 3;

// Finds the backends that this processor can run, the fastest first; returns how many there are.
int find_backends(const Backend* found[kMostBackends]);

}  // namespace recu
