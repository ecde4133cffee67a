// The operators of a file that the delegate runs, with all that their nodes say, checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clamp.h"
#include "convolution.h"
#include "tflite.h"
#include "window.h"

namespace recu {

enum class Kind {
  kConvolution,
  kQuantize,
  kDequantize,
  kBinaryMaxPool,
  kAveragePool,
  kMaxPool,
  kMultiply,     // by a constant per channel
  kAddConstant,  // per channel
  kAdd,          // another tensor of the same shape
  kClamp,
  kPrelu,        // with a slope per channel
  kPadChannels,
  kConcatenate,  // along the channels
};

struct Operator {
  Kind kind;
  std::vector<int> inputs;  // tensors that other operators, or the caller, fill
  int output;
  int images = 1;
  int channels = 1;        // of the output
  int64_t pixels = 1;      // of an image of the output, or all rows where there are no images
  ConvolutionOptions convolution;
  int weights = -1, multiplier = -1, bias = -1, thresholds = -1;  // constant tensors
  Axis rows, columns;      // of pools
  int input_channels = 1;  // of pools and paddings
  int before = 0;          // channels of zeros in front
  std::vector<int> concatenated;  // channels of each input
  int constant = -1;       // tensor of the constant per channel
  Clamp clamp;
};

// What a node says, if the delegate runs it. Otherwise nothing, with a reason where the node is one of
// the engine's, which nobody else runs.
std::optional<Operator> read_operator(const TfLiteContext& context, const TfLiteNode& node,
                                      const TfLiteRegistration& registration, std::string& reason);

bool is_engine_operator(const TfLiteRegistration& registration);

// Whether a tensor is as large as its shape and type say.
bool is_whole(const TfLiteTensor& tensor);

// Whether its values lie at addresses from which every processor reads them.
bool is_aligned(const TfLiteTensor& tensor);

int64_t element_count(const TfLiteTensor& tensor);

// Bytes of a value.
size_t element_size(const TfLiteTensor& tensor);

}  // namespace recu
