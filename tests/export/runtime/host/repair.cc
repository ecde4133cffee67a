#include <cstring>

#include "mutation.h"
#include "option_map.h"
#include "tflite.h"

namespace host {
namespace {

// Larger sizes stay as they are.
constexpr int kMost = 4096;

int words_of(int channels) { return channels / 32 + (channels % 32 != 0); }

bool is_image(const Tensor& tensor) {
  if (!tensor.has_shape || tensor.shape.size() != 4) return false;
  for (const int size : tensor.shape) {
    if (size < 1 || size > kMost) return false;
  }
  return true;
}

// How many windows an axis has; 0 where it has none.
int count_windows(int input, int64_t size, int64_t stride, int64_t dilation, bool same) {
  if (size < 1 || stride < 1 || dilation < 1) return 0;
  const int64_t positions = same ? input : input - (size - 1) * dilation;
  return positions < 1 ? 0 : static_cast<int>((positions + stride - 1) / stride);
}

class Repair {
 public:
  Repair(Network& network, Random& random) : network_(network), random_(random) {}

  void all() {
    for (Node& node : network_.nodes) {
      Tensor* from = input(node, 0);
      Tensor* to = node.outputs.size() == 1 ? find(node.outputs[0]) : nullptr;
      if (from == nullptr || to == nullptr || !is_image(*from)) continue;
      if (node.code != kBuiltinCustom) {
        repair_builtin(node, *from, *to);
      } else if (node.name == "LceQuantize") {
        std::vector<int> shape = from->shape;
        shape.back() = words_of(shape.back());
        reshape(*to, shape);
      } else if (node.name == "LceDequantize") {
        std::vector<int> shape = from->shape;
        const bool fits = !to->shape.empty() && words_of(to->shape.back()) == shape.back();
        shape.back() = fits ? to->shape.back() : shape.back() * 32 - random_.below(32);
        reshape(*to, shape);
      } else if (node.name == "LceBMaxPool2d") {
        OptionMap options = read_options(node.custom);
        repair_window(*from, *to, options["filter_height"], options["filter_width"], options,
                      from->shape.back());
      } else if (node.name == "LceBconv2d") {
        repair_convolution(node, *from, *to);
      }
    }
  }

 private:
  Tensor* find(int number) {
    const bool exists = number >= 0 && static_cast<size_t>(number) < network_.tensors.size();
    return exists ? &network_.tensors[number] : nullptr;
  }
  Tensor* input(const Node& node, size_t i) {
    return i < node.inputs.size() ? find(node.inputs[i]) : nullptr;
  }

  static void repair_window(const Tensor& from, Tensor& to, int64_t height, int64_t width,
                            OptionMap& options, int channels) {
    const bool same = options["padding"] == 0;
    const int rows = count_windows(from.shape[1], height, options["stride_height"],
                                   std::max<int64_t>(options["dilation_height_factor"], 1), same);
    const int columns = count_windows(from.shape[2], width, options["stride_width"],
                                      std::max<int64_t>(options["dilation_width_factor"], 1), same);
    reshape(to, {from.shape[0], rows, columns, channels});
  }

  void repair_convolution(Node& node, const Tensor& from, Tensor& to) {
    Tensor* weights = input(node, 1);
    if (weights == nullptr || !is_image(*weights)) return;
    OptionMap options = read_options(node.custom);
    const int words = from.shape.back();
    const auto channels = options.find("channels_in");
    if (channels != options.end() && channels->second > 0 && channels->second < kMost &&
        words_of(static_cast<int>(channels->second)) != words) {
      channels->second = words * 32 - (random_.once_in(2) ? 0 : random_.below(32));
      node.custom = write_options(options, needed_width(options));
    }
    if (words % weights->shape[3] != 0) {
      weights->shape[3] = words;
      reshape(*weights, weights->shape);
    }
    const int filters = weights->shape[0];
    for (size_t i = 2; i < 5; ++i) {
      Tensor* parameter = input(node, i);
      if (parameter != nullptr && parameter->allocation_type == kTfLiteMmapRo) {
        reshape(*parameter, {filters});
      }
    }
    repair_window(from, to, weights->shape[1], weights->shape[2], options,
                  to.type == kTfLiteInt32 ? words_of(filters) : filters);
  }

  void repair_builtin(const Node& node, const Tensor& from, Tensor& to) {
    int parameters[6] = {};
    const size_t length = std::min(node.builtin.size(), sizeof parameters);
    if (length > 0) std::memcpy(parameters, node.builtin.data(), length);
    std::vector<int> shape = from.shape;
    Tensor* second = input(node, 1);
    switch (node.code) {
      case kBuiltinAveragePool2d:
      case kBuiltinMaxPool2d: {
        OptionMap options{{"padding", parameters[0] == kTfLitePaddingSame ? 0 : 1},
                          {"stride_width", parameters[1]},
                          {"stride_height", parameters[2]}};
        repair_window(from, to, parameters[4], parameters[3], options, from.shape.back());
        return;
      }
      case kBuiltinPad:
        if (second == nullptr || second->constant.size() != 32) return;
        int paddings[8];
        std::memcpy(paddings, second->constant.data(), sizeof paddings);
        if (paddings[6] < 0 || paddings[6] > kMost || paddings[7] < 0 || paddings[7] > kMost) return;
        shape.back() += paddings[6] + paddings[7];
        break;
      case kBuiltinConcatenation:
        for (size_t i = 1; i < node.inputs.size(); ++i) {
          Tensor* more = input(node, i);
          if (more == nullptr || !is_image(*more)) return;
          shape.back() += more->shape.back();
        }
        break;
      default:
        if (second == nullptr) break;
        // A constant for each channel, or another tensor.
        if (second->allocation_type != kTfLiteMmapRo) {
          reshape(*second, shape);
        } else if (second->has_shape && !second->shape.empty()) {
          second->shape.back() = shape.back();
          reshape(*second, second->shape);
        }
    }
    reshape(to, shape);
  }

  Network& network_;
  Random& random_;
};

}  // namespace

void repair(Network& network, Random& random) { Repair(network, random).all(); }

}  // namespace host
