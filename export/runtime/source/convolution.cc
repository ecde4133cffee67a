// A binary convolution of one image.
#include "convolution.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace recu {
namespace {

// Halves away from zero, as the engine rounds. What is not a number becomes 0, as there.
int8_t round_to_int8(float value) {
  if (std::isnan(value)) return 0;
  if (value <= -128.0f) return -128;
  return value < 127.0f ? static_cast<int8_t>(std::round(value)) : 127;
}

}  // namespace

void Convolution::run(const uint32_t* image, const float* residual, float lowest, float highest,
                      void* values, uint32_t* bits, uint8_t* scratch, Threads& threads) const {
  threads.split(padded_rows_, [&](int, int first, int last) {
    for (int row = first; row < last; ++row) expand_row(image, scratch, row);
  });
  const int pixels = options_.rows.output * options_.columns.output;
  const int tiles = (pixels + kTilePixels - 1) / kTilePixels;
  threads.split(tiles, [&](int, int first, int last) {
    for (int tile = first; tile < last; ++tile) {
      const int pixel = tile * kTilePixels;
      run_tile(scratch, residual, lowest, highest, values, bits, pixel,
               std::min(kTilePixels, pixels - pixel));
    }
  });
}

void Convolution::expand_row(const uint32_t* image, uint8_t* padded, int row) const {
  const Axis &rows = options_.rows, &columns = options_.columns;
  uint8_t* bytes = padded + row * row_bytes();
  const int from = row - rows.before;
  if (from < 0 || from >= rows.input) {
    std::memset(bytes, 0, row_bytes());
    return;
  }
  const size_t before = static_cast<size_t>(columns.before) * pixel_bytes_;
  const size_t inside = static_cast<size_t>(columns.input) * pixel_bytes_;
  std::memset(bytes, 0, before);
  const uint8_t* packed =
      reinterpret_cast<const uint8_t*>(image + static_cast<size_t>(from) * columns.input * words_);
  if (options_.channels % 32 == 0) {
    backend_.expand(packed, static_cast<size_t>(columns.input) * words_ * 4, bytes + before);
  } else {
    const size_t used = (options_.channels + 7) / 8;  // bytes of a pixel that hold channels
    uint8_t pixel[16];
    for (int column = 0; column < columns.input; ++column) {
      uint8_t* out = bytes + before + static_cast<size_t>(column) * pixel_bytes_;
      const uint8_t* in = packed + static_cast<size_t>(column) * words_ * 4;
      for (size_t byte = 0; byte < used; byte += 8) {
        const size_t some = std::min<size_t>(8, used - byte);
        backend_.expand(in + byte, some, pixel);
        std::memcpy(out + 2 * byte, pixel, std::min<size_t>(2 * some, pixel_bytes_ - 2 * byte));
      }
    }
  }
  std::memset(bytes + before + inside, 0, row_bytes() - before - inside);
}

void Convolution::run_tile(const uint8_t* padded, const float* residual, float lowest,
                           float highest, void* values, uint32_t* bits, int first,
                           int pixels) const {
  const Axis &rows = options_.rows, &columns = options_.columns;
  alignas(64) uint16_t counts[kTilePixels * kMaxBlock];
  const uint8_t* windows[kTilePixels];
  // Counted are as many windows as the backend takes at a time: the last one again.
  const int filled = (pixels + 7) / 8 * 8;
  for (const Block& block : blocks_) {
    for (int i = 0; i < filled; ++i) {
      const int pixel = first + std::min(i, pixels - 1);
      const size_t row = static_cast<size_t>(pixel / columns.output) * rows.stride;
      const size_t column = static_cast<size_t>(pixel % columns.output) * columns.stride;
      windows[i] = padded + row * row_bytes() + column * pixel_bytes_ +
                   static_cast<size_t>(block.group) * group_channels_ / 4;
    }
    backend_.count(weights_.data() + block.at, block.vectors, windows, filled, segments_.data(),
                   segments_.size(), counts);
    finish_tile(counts, block, residual, lowest, highest, values, bits, first, pixels);
  }
}

const float* Convolution::correction_of(int pixel) const {
  const int columns = options_.columns.output;
  const int kind =
      row_kinds_[pixel / columns] * column_kind_count_ + column_kinds_[pixel % columns];
  return kind == 0 ? nullptr : corrections_.data() + static_cast<size_t>(kind) * options_.filters;
}

void Convolution::finish_tile(const uint16_t* counts, const Block& block, const float* residual,
                              float lowest, float highest, void* values, uint32_t* bits, int first,
                              int pixels) const {
  const size_t at = static_cast<size_t>(first) * options_.filters + block.first;
  const size_t words = (options_.filters + 31) / 32;
  // The filters of a group may begin within a word, into which others write as well.
  const bool within_word = bits != nullptr && block.first % 32 != 0;
  std::vector<uint32_t> own_bits;
  Finish finish{};
  finish.pixels = pixels;
  finish.channels = block.filters;
  finish.input_stride = static_cast<size_t>(block.vectors) * backend_.lanes;
  finish.output_stride = options_.filters;
  finish.bits_stride = words;
  if (within_word) {
    finish.bits_stride = (static_cast<size_t>(block.filters) + 31) / 32;
    own_bits.resize(pixels * finish.bits_stride);
    finish.bits = own_bits.data();
  } else if (bits != nullptr) {
    finish.bits = bits + first * words + block.first / 32;
  }
  const auto merge = [&] {
    for (int i = 0; within_word && i < pixels; ++i) {
      uint32_t* row = bits + (first + i) * words;
      for (int filter = 0; filter < block.filters; ++filter) {
        const uint32_t bit = own_bits[i * finish.bits_stride + filter / 32] >> (filter % 32) & 1;
        const int to = block.first + filter;
        row[to / 32] = (row[to / 32] & ~(1u << to % 32)) | bit << to % 32;
      }
    }
  };
  const float* corrections[kTilePixels];
  if (!corrections_.empty()) {
    for (int i = 0; i < pixels; ++i) {
      const float* correction = correction_of(first + i);
      corrections[i] = correction == nullptr ? nullptr : correction + block.first;
    }
    finish.corrections = corrections;
  }
  if (options_.output == Output::kBits) {
    backend_.compare(counts, thresholds_.data() + block.first, finish);
    merge();
    return;
  }
  finish.clamps_count = options_.activation != 0;
  finish.lowest_count = lowest_count_;
  finish.highest_count = highest_count_;
  finish.multiplier = multiplier_.data() + block.first;
  finish.bias = bias_.data() + block.first;
  if (residual != nullptr) finish.residual = residual + at;
  finish.lowest = lowest;
  finish.highest = highest;
  if (options_.output == Output::kFloat) {
    if (values != nullptr) finish.values = static_cast<float*>(values) + at;
    backend_.finish_counts(counts, finish);
    merge();
    return;
  }
  std::vector<float> results(static_cast<size_t>(pixels) * block.filters);
  finish.output_stride = block.filters;
  finish.values = results.data();
  backend_.finish_counts(counts, finish);
  int8_t* out = static_cast<int8_t*>(values) + at;
  for (int i = 0; i < pixels; ++i) {
    for (int filter = 0; filter < block.filters; ++filter) {
      out[static_cast<size_t>(i) * options_.filters + filter] =
          round_to_int8(results[static_cast<size_t>(i) * block.filters + filter]);
    }
  }
}

}  // namespace recu
