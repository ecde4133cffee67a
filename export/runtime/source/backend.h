// What depends on the processor: counting bits that differ, and turning counts into outputs.
//
// A backend counts in one of two ways. Where it looks counts up, a byte of the padded image has four
// channels of a window in its lower half and those of the next window in its upper half; it names a row
// of `pair_table`. Of the row for the bits (a, b), entry w is how many of the four bits of a and w
// differ, and 16 times how many of b and w do. One byte shuffle looks that up for a vector of filters.
// Where it counts bits of words, a byte has eight channels, and a step is a word of 32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "window.h"

namespace recu {

// Filters that a block of weights has at most.
constexpr int kMaxBlock = 256;
// Pixels of which counts are kept at a time, and the number of windows that they are filled up to.
constexpr int kTilePixels = 64;
constexpr int kWindowsTogether = 4;

// Steps that lie behind each other in the padded image: `length` in each of `rows` rows. Where
// `last_mask` is not 0, one more follows in each row, of which only these bits count.
struct Segment {
  int64_t offset;      // from the first byte of a window, in bytes
  int64_t row_stride;  // between rows, in bytes
  int32_t rows;
  int32_t length;
  uint32_t last_mask;
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
  const float* slopes = nullptr;             // per channel, for values below zero
  float lowest;                              // clamps the sum
  float highest;
  float* values = nullptr;
  uint32_t* bits = nullptr;  // whether the result is below zero
};

struct Backend {
  const char* name;
  int channels_per_byte;  // of the padded image
  int bytes_per_step;
  int pixels_per_window;  // 2 where a byte belongs to two windows
  int most_steps;         // of a segment, so that its counts fit into a byte
  // Numbers of filters that are counted together, from the largest to the smallest, then zeros.
  int widths[6];
  // In each group of so many filters the even ones come first, in the order of the weights.
  int interleaved;

  // A row of packed pixels to the bytes of the padded image. May write seven bytes more.
  void (*spread)(const uint32_t* pixels, int count, int channels, uint8_t* bytes);
  // Puts the lower half of the byte at a distance behind each byte into its upper half. Null where a
  // window is one pixel.
  void (*pair)(uint8_t* bytes, size_t count, size_t distance);

  // Counts differing bits of windows and `width` filters. `windows` has the first byte of each window,
  // and more to a multiple of kWindowsTogether; `counts` has space for as many.
  void (*count)(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
                const Segment* segments, size_t segment_count, uint16_t* counts);

  void (*finish_counts)(const uint16_t* counts, const Finish& finish);
  void (*finish_values)(const float* values, const Finish& finish);

  // Bit of a channel: whether its count is above the threshold. Uses only sizes, `corrections` and `bits`
  // of `finish`.
  void (*compare)(const uint16_t* counts, const int32_t* thresholds, const Finish& finish);

  // Largest or mean values of the windows at a row of outputs.
  void (*pool)(const float* image, const Axis& rows, const Axis& columns, int channels, bool largest,
               int row, float* outputs);
};

// 256 rows of 16 bytes.
extern const uint8_t* const pair_table;

constexpr int kMostBackends = 4;

// Finds the backends that this processor can run, the fastest first; returns how many there are.
int find_backends(const Backend* found[kMostBackends]);

}  // namespace recu
