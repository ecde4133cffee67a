// What a binary convolution makes of its weights and parameters, once.
#include <algorithm>
#include <limits>

#include "clamp.h"
#include "convolution.h"

namespace recu {
namespace {

int count_bits(uint32_t word) { return __builtin_popcount(word); }

// The taps of a kernel's axis that lie outside of the image, for each output.
std::vector<std::vector<bool>> taps_outside(const Axis& axis) {
  std::vector<std::vector<bool>> outside(axis.output, std::vector<bool>(axis.size));
  for (int position = 0; position < axis.output; ++position) {
    for (int tap = 0; tap < axis.size; ++tap) {
      const int64_t at = int64_t{position} * axis.stride - axis.before + int64_t{tap} * axis.dilation;
      outside[position][tap] = at < 0 || at >= axis.input;
    }
  }
  return outside;
}

// Numbers the different patterns, that of no tap outside first.
std::vector<std::vector<bool>> number_patterns(const std::vector<std::vector<bool>>& outside,
                                               int taps, std::vector<int>& kinds) {
  std::vector<std::vector<bool>> patterns{std::vector<bool>(taps, false)};
  for (const std::vector<bool>& pattern : outside) {
    auto found = std::find(patterns.begin(), patterns.end(), pattern);
    if (found == patterns.end()) found = patterns.insert(found, pattern);
    kinds.push_back(static_cast<int>(found - patterns.begin()));
  }
  return patterns;
}

}  // namespace

Convolution::Convolution(const ConvolutionOptions& options, const Backend& backend,
                         const uint32_t* weights, const float* multiplier, const float* bias,
                         const int32_t* thresholds)
    : options_(options), backend_(backend) {
  group_channels_ = options.channels / options.groups;
  group_filters_ = options.filters / options.groups;
  words_ = words_of(options.channels);
  pixel_bytes_ = (options.channels - 1) / backend.channels_per_byte + 1;
  padded_rows_ = options.rows.padded();
  padded_columns_ = options.columns.padded();
  // Behind a row lies what its last byte is paired with, and what is written beyond its last pixel.
  row_bytes_ = static_cast<size_t>(padded_columns_ + options.columns.stride) * pixel_bytes_ + 8;
  lay_out_weights(lay_out_steps(), weights);
  choose_tiles();
  prepare_finish(multiplier, bias, thresholds);
  if (options.pads_with_zeros) prepare_corrections(weights);
}

// Runs of bytes that are next to each other in the padded image, cut into segments.
std::vector<Convolution::Place> Convolution::lay_out_steps() {
  const Axis &rows = options_.rows, &columns = options_.columns;
  const int group_bytes = (group_channels_ - 1) / backend_.channels_per_byte + 1;
  const int step_bytes = backend_.bytes_per_step;
  const int64_t row_stride = static_cast<int64_t>(rows.dilation) * row_bytes_;
  const int64_t column_stride = static_cast<int64_t>(columns.dilation) * pixel_bytes_;
  // A kernel's row is one run where nothing lies between its taps.
  const bool whole_rows = options_.groups == 1 && columns.dilation == 1;
  const int taps_in_run = whole_rows ? columns.size : 1;
  const int run_bytes = taps_in_run * group_bytes;
  const int run_steps = (run_bytes - 1) / step_bytes + 1;
  std::vector<Place> places;
  // Steps from `first` on of so many runs below, or beside, each other.
  const auto add = [&](int row, int column, int first, int runs, int steps) {
    const int bytes = std::min(steps * step_bytes, run_bytes - first * step_bytes);
    const int left = bytes % step_bytes;
    const int64_t offset = row * row_stride + column * column_stride + first * step_bytes;
    segments_.push_back({offset, whole_rows ? row_stride : column_stride, runs, bytes / step_bytes,
                         left == 0 ? 0 : ~0u >> (32 - 8 * left),
                         static_cast<int64_t>(places.size()) / step_bytes});
    for (int run = 0; run < runs; ++run) {
      for (int byte = first * step_bytes; byte < (first + steps) * step_bytes; ++byte) {
        Place place;
        if (byte < run_bytes) {
          place.row = row + (whole_rows ? run : 0);
          place.column = column + (whole_rows ? 0 : run) + byte / group_bytes;
          place.channel = byte % group_bytes * backend_.channels_per_byte;
        }
        places.push_back(place);
      }
    }
  };
  const int runs_in_row = columns.size / taps_in_run;
  if (run_steps > backend_.most_steps) {
    const int pieces = (run_steps - 1) / backend_.most_steps + 1;
    // Steps are counted in threes, see lookup.h.
    const int piece = ((run_steps - 1) / pieces / 3 + 1) * 3;
    for (int row = 0; row < rows.size; ++row) {
      for (int column = 0; column < runs_in_row; ++column) {
        for (int first = 0; first < run_steps; first += piece) {
          add(row, column, first, 1, std::min(piece, run_steps - first));
        }
      }
    }
    return places;
  }
  const int most = backend_.most_steps / run_steps;
  if (whole_rows) {
    for (int row = 0; row < rows.size; row += std::min(most, rows.size)) {
      add(row, 0, 0, std::min(most, rows.size - row), run_steps);
    }
    return places;
  }
  for (int row = 0; row < rows.size; ++row) {
    for (int column = 0; column < runs_in_row; column += std::min(most, runs_in_row)) {
      add(row, column, 0, std::min(most, runs_in_row - column), run_steps);
    }
  }
  return places;
}

void Convolution::lay_out_weights(const std::vector<Place>& places, const uint32_t* weights) {
  size_t bytes = 0;
  for (int group = 0; group < options_.groups; ++group) {
    for (int first = 0; first < group_filters_;) {
      const int left = group_filters_ - first;
      // The widest that is filled, but for what is left of a word: that is one block.
      const int* width = backend_.widths;
      while (width[1] != 0 && (left >= 32 ? width[0] > left : width[1] >= left)) ++width;
      const int filters = std::min(*width, left);
      blocks_.push_back({group * group_filters_ + first, filters, *width, group, bytes});
      bytes += places.size() * *width;
      first += filters;
    }
  }
  weights_.assign(bytes, 0);
  const int step_bytes = backend_.bytes_per_step, channels = backend_.channels_per_byte;
  const int words = words_of(group_channels_);
  const size_t taps = static_cast<size_t>(options_.rows.size) * options_.columns.size;
  for (const Block& block : blocks_) {
    const int together = std::min(block.width, backend_.interleaved);
    uint8_t* byte = weights_.data() + block.at;
    for (size_t first = 0; first < places.size(); first += step_bytes) {
      for (int i = 0; i < block.width; ++i) {
        const int lane = i % together;
        // The counts of even lanes are written first, then those of odd ones.
        const int filter = i - lane + (lane & 1) * (together / 2) + lane / 2;
        for (int part = 0; part < step_bytes; ++part, ++byte) {
          const Place& place = places[first + part];
          if (filter >= block.filters || place.row < 0) continue;
          const size_t tap = static_cast<size_t>(place.row) * options_.columns.size + place.column;
          const uint32_t word =
              weights[((block.first + filter) * taps + tap) * words + place.channel / 32];
          const int used = std::min(channels, group_channels_ - place.channel);
          *byte = static_cast<uint8_t>(word >> (place.channel % 32) & ((1u << used) - 1));
        }
      }
    }
  }
}

// Several rows, or a part of one: as many outputs as counts are kept of.
void Convolution::choose_tiles() {
  const int columns = options_.columns.output, together = backend_.pixels_per_window;
  tiles_in_row_ = (columns - 1) / kTilePixels + 1;
  tile_columns_ = ((columns - 1) / tiles_in_row_ / together + 1) * together;
  tile_rows_ = tiles_in_row_ > 1 ? 1 : kTilePixels / tile_columns_;
}

void Convolution::prepare_finish(const float* multiplier, const float* bias,
                                 const int32_t* thresholds) {
  if (options_.output == Output::kBits) {
    thresholds_.assign(thresholds, thresholds + options_.filters);
    return;
  }
  // A window of K bits of which `count` differ has the sum K - 2 count. The engine folds this into
  // multiplier and bias, in double precision; so do we, for equal rounding.
  const int bits = options_.rows.size * options_.columns.size * group_channels_;
  const bool int8 = options_.output == Output::kInt8;
  const double scale = int8 ? static_cast<double>(options_.scale) : 1;
  const double zero_point = int8 ? options_.zero_point : 0;
  for (int filter = 0; filter < options_.filters; ++filter) {
    const double factor = multiplier[filter], offset = bias[filter];
    multiplier_.push_back(2 * static_cast<float>(-1 * factor / scale));
    bias_.push_back(static_cast<float>((offset + bits * factor) / scale + zero_point));
  }
  const Clamp clamp = clamp_of(options_.activation).value_or(Clamp{});
  lowest_count_ = (bits - std::min<float>(clamp.highest, bits)) * 0.5f;
  highest_count_ = (bits - std::max<float>(clamp.lowest, -bits)) * 0.5f;
}

// Bits beyond the edge count as +1. To be zero, half of a tap's bits have to differ from its weights,
// whatever these are: what is missing is added to the counts, as integers or halves, without rounding.
void Convolution::prepare_corrections(const uint32_t* weights) {
  const Axis &rows = options_.rows, &columns = options_.columns;
  const auto row_patterns = number_patterns(taps_outside(rows), rows.size, row_kinds_);
  const auto column_patterns = number_patterns(taps_outside(columns), columns.size, column_kinds_);
  column_kind_count_ = static_cast<int>(column_patterns.size());
  const int words = words_of(group_channels_);
  corrections_.resize(row_patterns.size() * column_patterns.size() * options_.filters);
  float* correction = corrections_.data();
  for (const auto& row_outside : row_patterns) {
    for (const auto& column_outside : column_patterns) {
      const uint32_t* word = weights;
      for (int filter = 0; filter < options_.filters; ++filter) {
        float missing = 0;
        for (int row = 0; row < rows.size; ++row) {
          for (int column = 0; column < columns.size; ++column) {
            int negative = 0;
            for (int i = 0; i < words; ++i) negative += count_bits(*word++);
            if (row_outside[row] || column_outside[column]) missing += group_channels_ * 0.5f - negative;
          }
        }
        *correction++ = missing;
      }
    }
  }
}

}  // namespace recu
