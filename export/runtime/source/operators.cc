#include "operators.h"

#include <cstring>

#include "node_reader.h"

namespace recu {

NodeReader::NodeReader(const TfLiteContext& context, const TfLiteNode& node,
                       const TfLiteRegistration& registration)
    : context_(context), node_(node), registration_(registration) {}

std::optional<Operator> NodeReader::read() {
  if (!has_tensors() || !read_kind()) return std::nullopt;
  return operator_;
}

bool NodeReader::has_tensors() {
  if (node_.inputs == nullptr || node_.outputs == nullptr || node_.inputs->size < 1 ||
      node_.outputs->size != 1) {
    return refuse("it has no input, or not one output");
  }
  for (const TfLiteIntArray* tensors : {node_.inputs, node_.outputs}) {
    for (int i = 0; i < tensors->size; ++i) {
      const int tensor = tensors->data[i];
      if (tensor >= 0 && static_cast<size_t>(tensor) >= context_.tensors_size) {
        return refuse("a tensor does not exist");
      }
    }
  }
  if (node_.inputs->data[0] < 0 || node_.outputs->data[0] < 0) {
    return refuse("its input or output is missing");
  }
  if (!has_sizes(input(0)) || !has_sizes(output())) return refuse("a shape is not fixed");
  // It may lie in a file that is mapped into memory and cannot be written.
  if (output().allocation_type == kTfLiteMmapRo) return refuse("its output is a constant");
  operator_.inputs = {node_.inputs->data[0]};
  operator_.output = node_.outputs->data[0];
  const TfLiteIntArray& shape = *output().dims;
  operator_.channels = shape.data[shape.size - 1];
  operator_.images = shape.size == 4 ? shape.data[0] : 1;
  for (int i = shape.size == 4 ? 1 : 0; i < shape.size - 1; ++i) operator_.pixels *= shape.data[i];
  return true;
}

bool NodeReader::has_sizes(const TfLiteTensor& tensor) {
  if (tensor.dims == nullptr || tensor.dims->size < 1 || tensor.dims->size > 8) return false;
  int64_t elements = 1;
  for (int i = 0; i < tensor.dims->size; ++i) {
    const int size = tensor.dims->data[i];
    if (size < 1 || size > kLargestSize) return false;
    elements *= size;
    if (elements > std::numeric_limits<int32_t>::max()) return false;
  }
  return true;
}

bool NodeReader::same_shape(const TfLiteTensor& a, const TfLiteTensor& b, int axes) {
  for (int axis = 0; axis < axes; ++axis) {
    if (size_of(a, axis) != size_of(b, axis)) return false;
  }
  return true;
}

bool NodeReader::read_axis(Axis& axis, int input, int output, int size, int stride, int dilation,
                           bool same) {
  for (const int value : {size, stride, dilation}) {
    if (value < 1 || value > kLargestSize) return false;
  }
  axis = {input, output, size, stride, dilation, 0};
  if (int64_t{size - 1} * dilation + 1 > kLargestSize) return false;
  if (axis.expected_output(same) != output) return false;
  if (same) axis.pad_same();
  return true;
}

bool NodeReader::is_constant(int tensor_index, TfLiteType type, int values) const {
  if (tensor_index < 0) return false;
  const TfLiteTensor& found = tensor(tensor_index);
  return found.type == type && found.allocation_type == kTfLiteMmapRo && found.data != nullptr &&
         has_sizes(found) && is_whole(found) && is_aligned(found) &&
         (values == 0 || element_count(found) == values);
}

int64_t element_count(const TfLiteTensor& tensor) {
  int64_t elements = 1;
  for (int i = 0; i < tensor.dims->size; ++i) elements *= tensor.dims->data[i];
  return elements;
}

size_t element_size(const TfLiteTensor& tensor) {
  return tensor.type == kTfLiteInt8 ? 1 : 4;
}

bool is_whole(const TfLiteTensor& tensor) {
  return tensor.bytes / element_size(tensor) >= static_cast<size_t>(element_count(tensor));
}

bool is_aligned(const TfLiteTensor& tensor) {
  return reinterpret_cast<uintptr_t>(tensor.data) % element_size(tensor) == 0;
}

bool is_engine_operator(const TfLiteRegistration& registration) {
  return registration.builtin_code == kBuiltinCustom && registration.custom_name != nullptr &&
         std::strncmp(registration.custom_name, "Lce", 3) == 0;
}

std::optional<Operator> read_operator(const TfLiteContext& context, const TfLiteNode& node,
                                      const TfLiteRegistration& registration, std::string& reason) {
  reason.clear();
  if (is_engine_operator(registration)) {
    return read_engine_operator(context, node, registration, reason);
  }
  return read_builtin_operator(context, node, registration);
}

}  // namespace recu
