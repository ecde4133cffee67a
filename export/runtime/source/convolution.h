// A binary convolution: its weights laid out for a backend, and how it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend.h"
#include "clamp.h"
#include "threads.h"
#include "window.h"

namespace recu {

enum class Output { kFloat, kInt8, kBits };

// What an LceBconv2d operator says. Bits are 1 for -1; 32 channels are a word.
struct ConvolutionOptions {
  Axis rows;
  Axis columns;
  int channels = 1;  // of the input
  int filters = 1;
  int groups = 1;
  bool pads_with_zeros = false;  // bits have no zero: windows beyond the edge are corrected
  int activation = 0;            // fused, before the multiplier; kTfLiteAct...
  Output output = Output::kFloat;
  // Of the output, where it is int8.
  float scale = 1;
  int zero_point = 0;
};

class Convolution {
 public:
  // The most bits of a window: more are not counted in 16 bits.
  static constexpr int64_t kMostBits = 65535;
  // Bytes behind the scratch memory that vectors may read and write.
  static constexpr size_t kSlack = 128;

  // The arrays are read here and not kept. `weights` is (filters, rows, columns, words of a group);
  // `thresholds` is of bits, `multiplier` and `bias` are of the other outputs.
  Convolution(const ConvolutionOptions& options, const Backend& backend, const uint32_t* weights,
              const float* multiplier, const float* bias, const int32_t* thresholds);

  const ConvolutionOptions& options() const { return options_; }

  // Bytes of scratch memory for an image, to be given to `run`.
  size_t scratch_bytes() const { return padded_rows_ * row_bytes_ + kSlack; }

  // Binary multiply-accumulates.
  double macs_of_image() const;

  // Where the outputs of an image go, and what is done with them on the way.
  struct Results {
    const float* residual;  // is added; may be null, and `values` itself
    const float* slopes;    // of each filter, by which values below zero are multiplied; may be null
    Clamp clamp;
    void* values;    // float32 or int8, as the options say; null where they are not stored
    uint32_t* bits;  // of signs; likewise
  };

  // Convolves one image.
  void run(const uint32_t* image, const Results& results, uint8_t* scratch, Threads& threads) const;

 private:
  // Where the channels of a byte lie in the kernel: the first of them, of a group. Bytes that fill up
  // a step have no row.
  struct Place {
    int row = -1;
    int column = 0;
    int channel = 0;
  };
  // Filters of one group that are counted together.
  struct Block {
    int first;    // filter
    int filters;  // without those that fill up the width
    int width;
    int group;
    size_t at;  // in `weights_`, in bytes
  };
  // Outputs that are counted together: of several rows, or a part of one.
  struct Tile {
    int row, rows;
    int column, columns;
  };

  // In layout.cc: what is made once.
  std::vector<Place> lay_out_steps();
  void lay_out_weights(const std::vector<Place>& places, const uint32_t* weights);
  void choose_tiles();
  void prepare_finish(const float* multiplier, const float* bias, const int32_t* thresholds);
  void prepare_corrections(const uint32_t* weights);

  // In convolution.cc: what is done for each image.
  void pad_row(const uint32_t* image, uint8_t* padded, int row) const;
  Tile tile_at(int number) const;
  void run_block(const uint8_t* padded, const Tile& tile, const Block& block,
                 const Results& results) const;
  void finish_row(const uint16_t* counts, const Block& block, const Results& results, int row,
                  int column, int pixels) const;
  int tile_count() const { return tiles_in_row_ * ((options_.rows.output - 1) / tile_rows_ + 1); }

  ConvolutionOptions options_;
  const Backend& backend_;
  int group_channels_;
  int group_filters_;
  int words_;         // of a pixel
  int pixel_bytes_;   // of a pixel of the padded image
  int padded_rows_;
  int padded_columns_;
  size_t row_bytes_;  // of the padded image
  int tiles_in_row_;
  int tile_rows_;
  int tile_columns_;
  std::vector<Segment> segments_;
  std::vector<Block> blocks_;
  std::vector<uint8_t> weights_;
  std::vector<float> multiplier_;
  std::vector<float> bias_;
  std::vector<int32_t> thresholds_;
  float lowest_count_ = 0;
  float highest_count_ = 0;
  // Windows beyond the edge by the taps that lie outside: of each row and column, which kind it is;
  // kind 0 has none.
  std::vector<int> row_kinds_;
  std::vector<int> column_kinds_;
  int column_kind_count_ = 1;
  std::vector<float> corrections_;  // (row kinds, column kinds, filters)
};

}  // namespace recu
