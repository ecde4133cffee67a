#include <cstring>

#include "mutation.h"
#include "tflite.h"

namespace host {
namespace {

std::string change_shape(Tensor& tensor, Random& random) {
  std::vector<int> shape = tensor.shape;
  switch (random.below(8)) {
    case 0:
      shape.push_back(random.below(4));
      break;
    case 1:
      if (!shape.empty()) shape.erase(shape.begin() + random.below(shape.size()));
      break;
    case 2:
      if (!shape.empty()) std::swap(random.pick(shape), random.pick(shape));
      break;
    case 3:
      if (random.once_in(4)) {
        tensor.has_shape = false;
        return "without a shape";
      }
      shape.assign(random.below(12), 1);
      break;
    default:
      if (shape.empty()) break;
      int& size = random.pick(shape);
      size = random.integer(size);
  }
  // A reader that trusts the bytes sees those of the old shape.
  if (random.once_in(3)) {
    tensor.shape = shape;
    return "another shape, with the old bytes";
  }
  reshape(tensor, shape);
  return "another shape";
}

std::string change_constant(Tensor& tensor, Random& random) {
  std::vector<uint8_t>& values = tensor.constant;
  if (values.empty()) return "nothing";
  static const uint32_t kWords[] = {0x7fc00000, 0x7f800000, 0xff800000, 0x7fffffff, 0x80000000,
                                    0xffffffff, 0,          1,          0x00800000, 0x7f7fffff};
  if (values.size() >= 4 && random.once_in(2)) {
    const uint32_t word = random.pick(kWords);
    std::memcpy(values.data() + random.below(values.size() / 4) * 4, &word, sizeof word);
    return "an extreme value";
  }
  if (random.once_in(2)) {
    random.pick(values) = static_cast<uint8_t>(random.word());
    return "another value";
  }
  for (uint8_t& value : values) value = static_cast<uint8_t>(random.word());
  return "other values";
}

std::string change(Tensor& tensor, Random& random) {
  static const float kScales[] = {0, -1, 1e-38f, 1e38f, 0.5f, 3};
  static const int kTypes[] = {0, 1, 2, 3, 4, 5, 7, 9, 10, 99, -1};
  switch (random.below(16)) {
    case 0:
      tensor.type = random.pick(kTypes);
      if (random.once_in(2)) reshape(tensor, tensor.shape);
      return "type " + std::to_string(tensor.type);
    case 1:
      tensor.bytes = random.once_in(2) ? tensor.bytes - tensor.bytes * random.below(4) / 4
                                       : static_cast<size_t>(random.below(64));
      return "bytes " + std::to_string(tensor.bytes);
    case 2:
      tensor.allocation_type = random.once_in(2) ? kTfLiteMmapRo : random.below(8);
      return "allocation " + std::to_string(tensor.allocation_type);
    case 3:
      tensor.has_data = false;
      return "without data";
    case 4:
      tensor.shift = 1 + random.below(7);
      return "data not aligned";
    case 5:
      tensor.scale = random.pick(kScales);
      return "scale " + std::to_string(tensor.scale);
    case 6:
      tensor.zero_point = random.integer(tensor.zero_point);
      return "zero point " + std::to_string(tensor.zero_point);
    case 7:
    case 8:
      return change_constant(tensor, random);
    default:
      return change_shape(tensor, random);
  }
}

}  // namespace

std::string mutate_tensor(Network& network, Random& random) {
  if (network.tensors.empty()) return "nothing";
  const int number = random.below(network.tensors.size());
  return "tensor " + std::to_string(number) + ": " + change(network.tensors[number], random);
}

}  // namespace host
