// What a binary convolution makes of its weights and parameters, once.
#include <algorithm>
#include <limits>

#include "convolution.h"
#include "tflite.h"

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
  words_ = (options.channels + 31) / 32;
  pixel_bytes_ = (options.channels + 3) / 4;
  padded_rows_ = options.rows.padded();
  padded_columns_ = options.columns.padded();
  lay_out_weights(lay_out_steps(), weights);
  prepare_finish(multiplier, bias, thresholds);
  if (options.pads_with_zeros) prepare_corrections(weights);
}

// Runs of bytes that are next to each other in the padded image, cut so that no sum of differences
// leaves a byte.
std::vector<Convolution::Step> Convolution::lay_out_steps() {
  const Axis &rows = options_.rows, &columns = options_.columns;
  const int group_bytes = (group_channels_ + 3) / 4;
  const int64_t row_stride = static_cast<int64_t>(rows.dilation) * row_bytes();
  const int64_t column_stride = static_cast<int64_t>(columns.dilation) * pixel_bytes_;
  // A kernel's row is one run where nothing lies between its taps.
  const bool whole_rows = options_.groups == 1 && columns.dilation == 1;
  const int taps_in_run = whole_rows ? columns.size : 1;
  const int run = taps_in_run * group_bytes;
  const int runs_in_row = columns.size / taps_in_run;
  const int64_t stride = whole_rows ? row_stride : column_stride;
  std::vector<Step> steps;
  const auto add = [&](int row, int column, int first_byte, int runs, int bytes) {
    const int64_t offset = row * row_stride + column * column_stride + first_byte;
    segments_.push_back({offset, stride, runs, bytes, static_cast<int64_t>(steps.size())});
    for (int number = 0; number < runs; ++number) {
      for (int byte = first_byte; byte < first_byte + bytes; ++byte) {
        steps.push_back({row + (whole_rows ? number : 0),
                         column + (whole_rows ? 0 : number) + byte / group_bytes,
                         byte % group_bytes * 4});
      }
    }
  };
  if (run > kMaxSteps) {
    for (int row = 0; row < rows.size; ++row) {
      for (int column = 0; column < columns.size; column += taps_in_run) {
        const int pieces = (run + kMaxSteps - 1) / kMaxSteps;
        for (int piece = 0; piece < pieces; ++piece) {
          const int first = run * piece / pieces;
          add(row, column, first, 1, run * (piece + 1) / pieces - first);
        }
      }
    }
    return steps;
  }
  const int most = kMaxSteps / run;
  if (whole_rows) {
    for (int row = 0; row < rows.size; row += most) {
      add(row, 0, 0, std::min(most, rows.size - row), run);
    }
    return steps;
  }
  for (int row = 0; row < rows.size; ++row) {
    for (int column = 0; column < runs_in_row; column += most) {
      add(row, column, 0, std::min(most, runs_in_row - column), run);
    }
  }
  return steps;
}

void Convolution::lay_out_weights(const std::vector<Step>& steps, const uint32_t* weights) {
  const int lanes = backend_.lanes;
  size_t bytes = 0;
  for (int group = 0; group < options_.groups; ++group) {
    for (int first = 0; first < group_filters_;) {
      const int left = (group_filters_ - first + lanes - 1) / lanes;
      const int vectors = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const int filters = std::min(vectors * lanes, group_filters_ - first);
      blocks_.push_back({group * group_filters_ + first, filters, vectors, group, bytes});
      bytes += steps.size() * vectors * lanes;
      first += filters;
    }
  }
  weights_.assign(bytes, 0);
  const int words = (group_channels_ + 31) / 32;
  const size_t taps = static_cast<size_t>(options_.rows.size) * options_.columns.size;
  for (const Block& block : blocks_) {
    uint8_t* byte = weights_.data() + block.at;
    for (const Step& step : steps) {
      const size_t tap = static_cast<size_t>(step.row) * options_.columns.size + step.column;
      for (int vector = 0; vector < block.vectors; ++vector) {
        for (int lane = 0; lane < lanes; ++lane, ++byte) {
          // Counts of even lanes are written first, then those of odd ones.
          const int filter = vector * lanes + (lane & 1) * (lanes / 2) + lane / 2;
          if (filter >= block.filters) continue;
          const uint32_t word =
              weights[((block.first + filter) * taps + tap) * words + step.channel / 32];
          *byte = word >> (step.channel % 32) & 15;
        }
      }
    }
  }
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
  int lowest = -bits, highest = bits;
  if (options_.activation == kTfLiteActRelu) lowest = 0;
  if (options_.activation == kTfLiteActReluN1To1) lowest = -1, highest = 1;
  if (options_.activation == kTfLiteActRelu6) lowest = 0, highest = 6;
  highest = std::min(highest, bits);
  lowest_count_ = (bits - highest) * 0.5f;
  highest_count_ = (bits - lowest) * 0.5f;
}

// Bits beyond the edge count as +1. To be zero, half of a tap's bits have to differ from its weights,
// whatever these are: what is missing is added to the counts, as integers or halves, without rounding.
void Convolution::prepare_corrections(const uint32_t* weights) {
  const Axis &rows = options_.rows, &columns = options_.columns;
  const auto row_patterns = number_patterns(taps_outside(rows), rows.size, row_kinds_);
  const auto column_patterns = number_patterns(taps_outside(columns), columns.size, column_kinds_);
  column_kind_count_ = static_cast<int>(column_patterns.size());
  const int words = (group_channels_ + 31) / 32;
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
