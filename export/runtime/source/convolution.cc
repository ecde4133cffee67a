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

// About what a core does, to see what is worth another thread.
constexpr double kBytesInNanosecond = 8;
constexpr double kMacsInNanosecond = 600;

}  // namespace

double Convolution::macs_of_image() const {
  return double(options_.rows.output) * options_.columns.output * options_.filters *
         options_.rows.size * options_.columns.size * group_channels_;
}

void Convolution::run(const uint32_t* image, const Results& results, uint8_t* scratch,
                      Threads& threads) const {
  threads.split(padded_rows_, row_bytes_ / kBytesInNanosecond, [&](int first, int last) {
    for (int row = first; row < last; ++row) pad_row(image, scratch, row);
  });
  const int blocks = static_cast<int>(blocks_.size());
  // Blocks that write into the same words stay in one thread.
  const bool shares_words =
      results.bits != nullptr && options_.groups > 1 && group_filters_ % 32 != 0;
  const int parts = shares_words ? 1 : blocks;
  const int units = tile_count() * parts;
  threads.split(units, macs_of_image() / kMacsInNanosecond / units, [&](int first, int last) {
    for (int number = first; number < last; ++number) {
      const Tile tile = tile_at(number / parts);
      const int from = shares_words ? 0 : number % parts, to = shares_words ? blocks : from + 1;
      for (int block = from; block < to; ++block) {
        run_block(scratch, tile, blocks_[block], results);
      }
    }
  });
}

void Convolution::pad_row(const uint32_t* image, uint8_t* padded, int row) const {
  const Axis &rows = options_.rows, &columns = options_.columns;
  uint8_t* bytes = padded + row * row_bytes_;
  const int from = row - rows.before;
  if (from < 0 || from >= rows.input) {
    std::memset(bytes, 0, row_bytes_);
    return;
  }
  const size_t before = static_cast<size_t>(columns.before) * pixel_bytes_;
  const size_t inside = static_cast<size_t>(columns.input) * pixel_bytes_;
  std::memset(bytes, 0, before);
  backend_.spread(image + static_cast<size_t>(from) * columns.input * words_, columns.input,
                  options_.channels, bytes + before);
  std::memset(bytes + before + inside, 0, row_bytes_ - before - inside);
  if (backend_.pair != nullptr) {
    const size_t distance = static_cast<size_t>(columns.stride) * pixel_bytes_;
    backend_.pair(bytes, static_cast<size_t>(padded_columns_) * pixel_bytes_, distance);
  }
}

Convolution::Tile Convolution::tile_at(int number) const {
  const int row = number / tiles_in_row_ * tile_rows_;
  const int column = number % tiles_in_row_ * tile_columns_;
  return {row, std::min(tile_rows_, options_.rows.output - row), column,
          std::min(tile_columns_, options_.columns.output - column)};
}

void Convolution::run_block(const uint8_t* padded, const Tile& tile, const Block& block,
                            const Results& results) const {
  const Axis &rows = options_.rows, &columns = options_.columns;
  const int together = backend_.pixels_per_window;
  alignas(64) uint16_t counts[kTilePixels * kMaxBlock];
  const uint8_t* windows[kTilePixels + kWindowsTogether];
  const int windows_in_row = (tile.columns - 1) / together + 1;
  const size_t step = static_cast<size_t>(together) * columns.stride * pixel_bytes_;
  int count = 0;
  for (int row = tile.row; row < tile.row + tile.rows; ++row) {
    const uint8_t* window = padded + static_cast<size_t>(row) * rows.stride * row_bytes_ +
                            static_cast<size_t>(tile.column) * columns.stride * pixel_bytes_ +
                            static_cast<size_t>(block.group) * group_channels_ /
                                backend_.channels_per_byte;
    for (int i = 0; i < windows_in_row; ++i, window += step) windows[count++] = window;
  }
  // As many windows are counted as the backend takes at a time: the last one again.
  for (int i = 0; i < kWindowsTogether; ++i) windows[count + i] = windows[count - 1];
  backend_.count(weights_.data() + block.at, block.width, windows, count, segments_.data(),
                 segments_.size(), counts);
  for (int row = 0; row < tile.rows; ++row) {
    finish_row(counts + static_cast<size_t>(row) * windows_in_row * together * block.width, block,
               results, tile.row + row, tile.column, tile.columns);
  }
}

void Convolution::finish_row(const uint16_t* counts, const Block& block, const Results& results,
                             int row, int column, int pixels) const {
  const size_t first = static_cast<size_t>(row) * options_.columns.output + column;
  const size_t at = first * options_.filters + block.first;
  const size_t words = words_of(options_.filters);
  Finish finish{};
  finish.pixels = pixels;
  finish.channels = block.filters;
  finish.input_stride = block.width;
  finish.output_stride = options_.filters;
  finish.bits_stride = words;
  // The filters of a group may begin within a word, into which others write as well.
  const bool within_word = results.bits != nullptr && block.first % 32 != 0;
  uint32_t own_bits[kTilePixels * kMaxBlock / 32];
  if (within_word) {
    finish.bits_stride = words_of(block.filters);
    finish.bits = own_bits;
  } else if (results.bits != nullptr) {
    finish.bits = results.bits + first * words + block.first / 32;
  }
  const auto merge = [&] {
    for (int i = 0; within_word && i < pixels; ++i) {
      uint32_t* of_pixel = results.bits + (first + i) * words;
      for (int filter = 0; filter < block.filters; ++filter) {
        const uint32_t bit = own_bits[i * finish.bits_stride + filter / 32] >> (filter % 32) & 1;
        const int to = block.first + filter;
        of_pixel[to / 32] = (of_pixel[to / 32] & ~(1u << to % 32)) | bit << to % 32;
      }
    }
  };
  const float* corrections[kTilePixels];
  if (!corrections_.empty()) {
    for (int i = 0; i < pixels; ++i) {
      const size_t kind =
          static_cast<size_t>(row_kinds_[row]) * column_kind_count_ + column_kinds_[column + i];
      corrections[i] =
          kind == 0 ? nullptr : corrections_.data() + kind * options_.filters + block.first;
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
  if (results.residual != nullptr) finish.residual = results.residual + at;
  if (results.slopes != nullptr) finish.slopes = results.slopes + block.first;
  finish.lowest = results.clamp.lowest;
  finish.highest = results.clamp.highest;
  if (options_.output == Output::kFloat) {
    if (results.values != nullptr) finish.values = static_cast<float*>(results.values) + at;
    backend_.finish_counts(counts, finish);
    merge();
    return;
  }
  float rounded[kTilePixels * kMaxBlock];
  finish.output_stride = block.filters;
  finish.values = rounded;
  backend_.finish_counts(counts, finish);
  int8_t* out = static_cast<int8_t*>(results.values) + at;
  for (int i = 0; i < pixels; ++i) {
    for (int filter = 0; filter < block.filters; ++filter) {
      out[static_cast<size_t>(i) * options_.filters + filter] =
          round_to_int8(rounded[static_cast<size_t>(i) * block.filters + filter]);
    }
  }
}

}  // namespace recu
