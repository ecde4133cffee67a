// Float operators between binary ones. Those that are not taken are the interpreter's.
#include <cstring>

#include "node_reader.h"

namespace recu {
namespace {

class BuiltinReader : public NodeReader {
 public:
  using NodeReader::NodeReader;

 private:
  bool read_clamp(int activation) {
    const auto clamp = clamp_of(activation);
    if (clamp) operator_.clamp = *clamp;
    return clamp.has_value();
  }

  bool read_activation(int activation) {
    operator_.kind = Kind::kClamp;
    return same_shape(input(0), output()) && read_clamp(activation);
  }

  bool read_kind() override {
    const TfLiteTensor &from = input(0), &to = output();
    if (from.type != kTfLiteFloat32 || to.type != kTfLiteFloat32 || rank_of(to) != 4 ||
        from.allocation_type == kTfLiteMmapRo) {
      return false;
    }
    switch (registration_.builtin_code) {
      case kBuiltinAdd:
      case kBuiltinMul:
        return read_arithmetic();
      case kBuiltinRelu:
        return read_activation(kTfLiteActRelu);
      case kBuiltinReluN1To1:
        return read_activation(kTfLiteActReluN1To1);
      case kBuiltinRelu6:
        return read_activation(kTfLiteActRelu6);
      case kBuiltinAveragePool2d:
      case kBuiltinMaxPool2d:
        return read_pool();
      case kBuiltinPad:
        return read_padding();
      case kBuiltinPrelu:
        operator_.kind = Kind::kPrelu;
        operator_.constant = node_.inputs->size == 2 ? node_.inputs->data[1] : -1;
        return same_shape(from, to) && is_per_channel(operator_.constant);
      case kBuiltinConcatenation:
        return read_concatenation();
      default:
        return false;
    }
  }

  bool is_per_channel(int tensor_index) const {
    return is_constant(tensor_index, kTfLiteFloat32, operator_.channels) &&
           last_of(tensor(tensor_index)) == operator_.channels;
  }

  bool read_arithmetic() {
    const bool adds = registration_.builtin_code == kBuiltinAdd;
    const auto* parameters = static_cast<const TfLiteActivationParams*>(node_.builtin_data);
    if (node_.inputs->size != 2 || parameters == nullptr || !same_shape(input(0), output()) ||
        !read_clamp(parameters->activation)) {
      return false;
    }
    const int other = node_.inputs->data[1];
    if (other < 0) return false;
    if (is_per_channel(other)) {
      operator_.kind = adds ? Kind::kAddConstant : Kind::kMultiply;
      operator_.constant = other;
      return true;
    }
    operator_.kind = Kind::kAdd;
    operator_.inputs.push_back(other);
    const TfLiteTensor& second = tensor(other);
    return adds && second.type == kTfLiteFloat32 && second.allocation_type != kTfLiteMmapRo &&
           has_sizes(second) && same_shape(second, output());
  }

  bool read_pool() {
    const TfLiteTensor &from = input(0), &to = output();
    const auto* parameters = static_cast<const TfLitePoolParams*>(node_.builtin_data);
    if (parameters == nullptr || rank_of(from) != 4 || size_of(from, 0) != size_of(to, 0) ||
        last_of(from) != last_of(to) || !read_clamp(parameters->activation)) {
      return false;
    }
    if (parameters->padding != kTfLitePaddingSame && parameters->padding != kTfLitePaddingValid) {
      return false;
    }
    operator_.kind = registration_.builtin_code == kBuiltinAveragePool2d ? Kind::kAveragePool
                                                                         : Kind::kMaxPool;
    operator_.input_channels = last_of(from);
    const bool same = parameters->padding == kTfLitePaddingSame;
    return read_axis(operator_.rows, size_of(from, 1), size_of(to, 1), parameters->filter_height,
                     parameters->stride_height, 1, same) &&
           read_axis(operator_.columns, size_of(from, 2), size_of(to, 2), parameters->filter_width,
                     parameters->stride_width, 1, same);
  }

  bool read_padding() {
    const TfLiteTensor &from = input(0), &to = output();
    if (node_.inputs->size != 2 || !is_constant(node_.inputs->data[1], kTfLiteInt32, 8) ||
        rank_of(from) != 4 || !same_shape(from, to, 3)) {
      return false;
    }
    int32_t paddings[8];
    std::memcpy(paddings, input(1).data, sizeof paddings);
    for (int i = 0; i < 6; ++i) {
      if (paddings[i] != 0) return false;
    }
    operator_.kind = Kind::kPadChannels;
    operator_.before = paddings[6];
    operator_.input_channels = last_of(from);
    return paddings[6] >= 0 && paddings[7] >= 0 &&
           int64_t{paddings[6]} + last_of(from) + paddings[7] == last_of(to);
  }

  bool read_concatenation() {
    const auto* parameters = static_cast<const TfLiteConcatenationParams*>(node_.builtin_data);
    if (parameters == nullptr || parameters->activation != kTfLiteActNone ||
        (parameters->axis != 3 && parameters->axis != -1)) {
      return false;
    }
    operator_.kind = Kind::kConcatenate;
    operator_.inputs.clear();
    int64_t channels = 0;
    for (int i = 0; i < node_.inputs->size; ++i) {
      if (node_.inputs->data[i] < 0) return false;
      const TfLiteTensor& from = input(i);
      if (from.type != kTfLiteFloat32 || from.allocation_type == kTfLiteMmapRo || !has_sizes(from) ||
          rank_of(from) != 4 || !same_shape(from, output(), 3)) {
        return false;
      }
      channels += last_of(from);
      operator_.concatenated.push_back(last_of(from));
      operator_.inputs.push_back(node_.inputs->data[i]);
    }
    return channels == last_of(output());
  }
};

}  // namespace

std::optional<Operator> read_builtin_operator(const TfLiteContext& context, const TfLiteNode& node,
                                              const TfLiteRegistration& registration) {
  return BuiltinReader(context, node, registration).read();
}

}  // namespace recu
