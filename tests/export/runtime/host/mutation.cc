#include "mutation.h"

namespace host {

std::string mutate(Network& network, Random& random) {
  std::string said;
  const int count = 1 + (random.once_in(2) ? 0 : random.below(6));
  for (int i = 0; i < count; ++i) {
    if (network.nodes.empty()) break;
    said += random.once_in(2) ? mutate_tensor(network, random) : mutate_node(network, random);
    said += "; ";
  }
  if (!random.once_in(3)) {
    repair(network, random);
    said += "shapes repaired";
  }
  return said;
}

std::string mutate_prepared(Tensor& tensor, Random& random) {
  switch (random.below(6)) {
    case 0:
      tensor.has_data = false;
      return "data taken away";
    case 1:
      tensor.bytes = tensor.bytes * random.below(8) / 8;
      return "fewer bytes";
    case 2:
      tensor.has_shape = false;
      return "shape taken away";
    case 3: {
      static const int kTypes[] = {1, 2, 3, 4, 7, 9};
      tensor.type = random.pick(kTypes);
      reshape(tensor, tensor.shape);
      return "type " + std::to_string(tensor.type);
    }
    default: {
      std::vector<int> shape = tensor.shape;
      if (shape.empty() || random.once_in(4)) {
        shape.push_back(1);
      } else if (random.once_in(4)) {
        shape.pop_back();
      } else {
        int& size = random.once_in(2) ? shape[0] : random.pick(shape);
        size = random.below(5);
      }
      reshape(tensor, shape);
      return "another shape";
    }
  }
}

void reshape(Tensor& tensor, const std::vector<int>& shape) {
  tensor.shape = shape;
  const int64_t bytes = shape_bytes(shape, tensor.type);
  // What is too large for an interpreter is refused by the host.
  if (bytes >= 0 && bytes < int64_t{1} << 31) tensor.bytes = static_cast<size_t>(bytes);
}

}  // namespace host
