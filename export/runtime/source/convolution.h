// A binary convolution: its weights laid out for a backend, and how it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend.h"
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
  size_t scratch_bytes() const { return padded_rows_ * row_bytes() + kSlack; }

  // Convolves one image. Of the results, values are stored where `values` is not null (float32 or int8,
  // as the options say) and signs where `bits` is not null. `residual` is added before the clamp to
  // [lowest, highest]; it may be null, and may be `values` itself.
  void run(const uint32_t* image, const float* residual, float lowest, float highest, void* values,
           uint32_t* bits, uint8_t* scratch, Threads& threads) const;

 private:
  // Where a step of the weights lies in the kernel: four channels of a group from `channel` on.
  struct Step {
    int row;
    int column;
    int channel;
  };
  // Filters of one group that are counted together.
  struct Block {
    int first;    // filter
    int filters;  // without those that fill up the vectors
    int vectors;
    int group;
    size_t at;  // in `weights_`, in bytes
  };

  // In layout.cc: what is made once.
  std::vector<Step> lay_out_steps();
  void lay_out_weights(const std::vector<Step>& steps, const uint32_t* weights);
  void prepare_finish(const float* multiplier, const float* bias, const int32_t* thresholds);
  void prepare_corrections(const uint32_t* weights);

  // In convolution.cc: what is done for each image.
  void expand_row(const uint32_t* image, uint8_t* padded, int row) const;
  void run_tile(const uint8_t* padded, const float* residual, float lowest, float highest,
                void* values, uint32_t* bits, int first, int pixels) const;
  void finish_tile(const uint16_t* counts, const Block& block, const float* residual, float lowest,
                   float highest, void* values, uint32_t* bits, int first, int pixels) const;
  const float* correction_of(int pixel) const;
  size_t row_bytes() const { return static_cast<size_t>(padded_columns_) * pixel_bytes_; }

  ConvolutionOptions options_;
  const Backend& backend_;
  int group_channels_;
  int group_filters_;
  int words_;         // of a pixel
  int pixel_bytes_;   // of a pixel once it is expanded: four channels in a byte
  int padded_rows_;
  int padded_columns_;
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
