// The operators of Larq Compute Engine. Nobody else runs them, so what is refused is said in words.
#include <algorithm>

#include "flexbuffer.h"
#include "node_reader.h"

namespace recu {
namespace {

// Padding as the engine writes it.
enum { kEngineSame = 0, kEngineValid = 1 };
// Channels of a padded image, a quarter of a gigabyte.
constexpr double kMostPadded = 1 << 30;

// Operations that it may take to prepare what is outside of an image padded with zeros: a second or two.
constexpr double kMostOfEdges = double{1u << 31};

class EngineReader : public NodeReader {
 public:
  using NodeReader::NodeReader;

 private:
  int option(const char* name) {
    const auto value =
        flexbuffer_integer(static_cast<const uint8_t*>(node_.custom_initial_data),
                           static_cast<size_t>(std::max(node_.custom_initial_data_size, 0)), name);
    if (!value) missing_ = name;
    return value.value_or(-1);
  }

  bool read_kind() override {
    const std::string name = registration_.custom_name;
    if (name == "LceQuantize") return read_quantize();
    if (name == "LceDequantize") return read_dequantize();
    if (name == "LceBMaxPool2d") return read_binary_pool();
    if (name == "LceBconv2d") return read_convolution();
    return refuse("the operator is unknown");
  }

  bool read_quantize() {
    const TfLiteTensor &from = input(0), &to = output();
    operator_.kind = Kind::kQuantize;
    operator_.channels = last_of(from);
    if (from.type != kTfLiteFloat32 && from.type != kTfLiteInt8) {
      return refuse("its input is neither float32 nor int8");
    }
    if (to.type != kTfLiteInt32 || rank_of(from) != rank_of(to) ||
        !same_shape(from, to, rank_of(from) - 1) || last_of(to) != words_of(last_of(from))) {
      return refuse("its output does not have the packed shape of its input");
    }
    return true;
  }

  bool read_dequantize() {
    const TfLiteTensor &from = input(0), &to = output();
    operator_.kind = Kind::kDequantize;
    if (to.type != kTfLiteFloat32 && to.type != kTfLiteInt8) {
      return refuse("its output is neither float32 nor int8");
    }
    if (from.type != kTfLiteInt32 || rank_of(from) != rank_of(to) ||
        !same_shape(from, to, rank_of(from) - 1) || last_of(from) != words_of(last_of(to))) {
      return refuse("its input does not have the packed shape of its output");
    }
    return to.type != kTfLiteInt8 || has_int8_scale(to);
  }

  bool has_int8_scale(const TfLiteTensor& tensor) {
    if (!(tensor.params.scale > 0)) return refuse("its output has no scale");
    if (tensor.params.zero_point < -128 || tensor.params.zero_point > 127) {
      return refuse("its output has a zero point outside of -128 to 127");
    }
    return true;
  }

  bool read_binary_pool() {
    const TfLiteTensor &from = input(0), &to = output();
    operator_.kind = Kind::kBinaryMaxPool;
    operator_.input_channels = last_of(from);
    const int padding = option("padding");
    const int height = option("filter_height"), width = option("filter_width");
    const int stride_height = option("stride_height"), stride_width = option("stride_width");
    if (missing_ != nullptr) return refuse(std::string("it has no option ") + missing_);
    if (from.type != kTfLiteInt32 || to.type != kTfLiteInt32 || rank_of(from) != 4 ||
        rank_of(to) != 4 || size_of(from, 0) != size_of(to, 0) || last_of(from) != last_of(to)) {
      return refuse("its input and output are not packed images of one size");
    }
    if (padding != kEngineSame && padding != kEngineValid) return refuse("its padding is unknown");
    const bool same = padding == kEngineSame;
    if (!read_axis(operator_.rows, size_of(from, 1), size_of(to, 1), height, stride_height, 1, same) ||
        !read_axis(operator_.columns, size_of(from, 2), size_of(to, 2), width, stride_width, 1,
                   same)) {
      return refuse("its output does not have the size that its window gives");
    }
    return true;
  }

  bool read_convolution() {
    if (node_.inputs->size < 5) return refuse("it has less than five inputs");
    const TfLiteTensor &from = input(0), &to = output();
    ConvolutionOptions& options = operator_.convolution;
    operator_.kind = Kind::kConvolution;
    options.channels = option("channels_in");
    const int padding = option("padding"), pad_values = option("pad_values");
    options.activation = option("fused_activation_function");
    const int strides[] = {option("stride_height"), option("stride_width")};
    const int dilations[] = {option("dilation_height_factor"), option("dilation_width_factor")};
    if (missing_ != nullptr) return refuse(std::string("it has no option ") + missing_);
    operator_.weights = node_.inputs->data[1];
    if (!is_constant(operator_.weights, kTfLiteInt32, 0) || rank_of(input(1)) != 4) {
      return refuse("its weights are no packed constants of the file");
    }
    const TfLiteTensor& weights = input(1);
    if (from.type != kTfLiteInt32 || rank_of(from) != 4 || rank_of(to) != 4 ||
        size_of(from, 0) != size_of(to, 0)) {
      return refuse("its input is not a packed image, or its output not as many");
    }
    if (options.channels < 1 || options.channels > kLargestSize ||
        last_of(from) != words_of(options.channels)) {
      return refuse("its input does not have the channels that it says");
    }
    if (to.type != kTfLiteFloat32 && to.type != kTfLiteInt8 && to.type != kTfLiteInt32) {
      return refuse("its output is neither float32, int8 nor packed");
    }
    options.output = to.type == kTfLiteFloat32 ? Output::kFloat
                     : to.type == kTfLiteInt8  ? Output::kInt8
                                               : Output::kBits;
    options.filters = size_of(weights, 0);
    const int packed = words_of(options.filters);
    if (last_of(to) != (options.output == Output::kBits ? packed : options.filters)) {
      return refuse("its output does not have as many channels as there are filters");
    }
    operator_.channels = options.filters;
    if (!read_groups(last_of(weights))) return false;
    if (padding != kEngineSame && padding != kEngineValid) return refuse("its padding is unknown");
    if (pad_values != 0 && pad_values != 1) return refuse("it pads with neither 0 nor 1");
    if (!clamp_of(options.activation)) return refuse("its activation is unknown");
    const bool same = padding == kEngineSame;
    Axis* axes[] = {&options.rows, &options.columns};
    for (int i = 0; i < 2; ++i) {
      if (!read_axis(*axes[i], size_of(from, 1 + i), size_of(to, 1 + i), size_of(weights, 1 + i),
                     strides[i], dilations[i], same)) {
        return refuse("its output does not have the size that its window gives");
      }
    }
    const double padded = double(options.rows.padded()) * options.columns.padded();
    if (padded * options.channels > kMostPadded) return refuse("its padded image is too large");
    options.pads_with_zeros = same && pad_values == 0;
    if (options.pads_with_zeros && operations_of_edges(options, element_count(weights)) > kMostOfEdges) {
      return refuse("its kernel is too large to be padded with zeros");
    }
    const int64_t bits = int64_t{options.rows.size} * options.columns.size *
                         (options.channels / options.groups);
    if (bits > Convolution::kMostBits) return refuse("its window has more than 65535 bits");
    return read_parameters();
  }

  // A small file can hold a kernel as wide as an image, of which each window lacks other taps.
  static double operations_of_edges(const ConvolutionOptions& options, int64_t weights) {
    double all_kinds = 1, compared = 0;
    for (const Axis* axis : {&options.rows, &options.columns}) {
      const double kinds = std::min(axis->output, axis->extent() - 1) + 1;
      all_kinds *= kinds;
      compared += kinds * axis->output * axis->size;
    }
    return all_kinds * static_cast<double>(weights) + compared;
  }

  bool read_groups(int words) {
    ConvolutionOptions& options = operator_.convolution;
    const int all = words_of(options.channels);
    if (words < 1 || all % words != 0) return refuse("its weights have another number of channels");
    options.groups = all / words;
    if (options.groups > 1 &&
        (options.channels % (32 * options.groups) != 0 || options.filters % options.groups != 0)) {
      return refuse("its groups are not of 32 channels, or not of as many filters each");
    }
    return true;
  }

  bool read_parameters() {
    ConvolutionOptions& options = operator_.convolution;
    if (options.output == Output::kBits) {
      operator_.thresholds = node_.inputs->data[4];
      return is_constant(operator_.thresholds, kTfLiteInt32, options.filters) ||
             refuse("it does not have a threshold for each filter");
    }
    operator_.multiplier = node_.inputs->data[2];
    operator_.bias = node_.inputs->data[3];
    if (!is_constant(operator_.multiplier, kTfLiteFloat32, options.filters) ||
        !is_constant(operator_.bias, kTfLiteFloat32, options.filters)) {
      return refuse("it does not have a multiplier and a bias for each filter");
    }
    if (options.output == Output::kInt8) {
      options.scale = output().params.scale;
      options.zero_point = output().params.zero_point;
      return has_int8_scale(output());
    }
    return true;
  }

  const char* missing_ = nullptr;
};

}  // namespace

std::optional<Operator> read_engine_operator(const TfLiteContext& context, const TfLiteNode& node,
                                             const TfLiteRegistration& registration,
                                             std::string& reason) {
  EngineReader reader(context, node, registration);
  auto found = reader.read();
  reason = reader.reason();
  return found;
}

}  // namespace recu
