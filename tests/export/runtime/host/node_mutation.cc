#include <cstring>

#include "mutation.h"
#include "option_map.h"
#include "tflite.h"

namespace host {
namespace {

std::string change_numbers(std::vector<int>& numbers, size_t tensors, Random& random) {
  if (numbers.empty() || random.once_in(8)) {
    numbers.push_back(random.below(tensors));
    return "a tensor more";
  }
  if (random.once_in(8)) {
    numbers.erase(numbers.begin() + random.below(numbers.size()));
    return "a tensor less";
  }
  if (random.once_in(8)) {
    std::swap(random.pick(numbers), random.pick(numbers));
    return "tensors in another order";
  }
  int& number = random.pick(numbers);
  // Among them some that do not exist.
  number = random.once_in(6) ? random.integer(number) : random.below(tensors + 2) - 1;
  return "tensor " + std::to_string(number);
}

std::string change_bytes(std::vector<uint8_t>& bytes, Random& random) {
  if (bytes.empty() || random.once_in(8)) {
    bytes.resize(random.below(bytes.size() + 12), static_cast<uint8_t>(random.word()));
    return "options of another length";
  }
  if (random.once_in(4)) {
    // The types of the values stand near the end: numbers, numbers elsewhere, bools, texts.
    static const int kKinds[] = {1, 2, 6, 7, 26, 3, 5, 9};
    const size_t before = 4 + random.below(10);
    if (before < bytes.size()) {
      bytes[bytes.size() - before] = static_cast<uint8_t>(random.pick(kKinds) << 2 | random.below(4));
    }
    return "the type of an option";
  }
  for (int left = 1 + random.below(3); left > 0; --left) {
    // The end says where everything is.
    const size_t last = bytes.size() < 30 || random.once_in(2) ? bytes.size() : 30;
    uint8_t& byte = bytes[bytes.size() - 1 - random.below(last)];
    byte = static_cast<uint8_t>(random.once_in(2) ? random.word() : byte + random.below(5) - 2);
  }
  return "bytes of options";
}

std::string change_option(std::vector<uint8_t>& bytes, Random& random) {
  OptionMap options = read_options(bytes);
  if (options.empty()) return change_bytes(bytes, random);
  auto chosen = options.begin();
  std::advance(chosen, random.below(options.size()));
  std::string said = chosen->first;
  if (random.once_in(20)) {
    options.erase(chosen);
    said += " left out";
  } else {
    chosen->second = random.integer(static_cast<int>(chosen->second));
    said += "=" + std::to_string(chosen->second);
  }
  const int width = random.once_in(3) ? 1 << random.below(4) : needed_width(options);
  bytes = write_options(options, width);
  return said;
}

std::string change_builtin(std::vector<uint8_t>& bytes, Random& random) {
  if (bytes.size() < 4) return "nothing";
  uint8_t* place = bytes.data() + random.below(bytes.size() / 4) * 4;
  int value;
  std::memcpy(&value, place, sizeof value);
  value = random.integer(value);
  std::memcpy(place, &value, sizeof value);
  return "parameter " + std::to_string(value);
}

std::string change_operator(Node& node, Random& random) {
  static const char* const kNames[] = {"LceQuantize", "LceDequantize", "LceBMaxPool2d",
                                       "LceBconv2d",  "LceNothing",    "Other"};
  static const int kCodes[] = {kBuiltinAdd, kBuiltinMul, kBuiltinRelu, kBuiltinReluN1To1,
                               kBuiltinRelu6, kBuiltinPad, kBuiltinPrelu, kBuiltinConcatenation};
  // A builtin operator has the parameters that are its own, so those with others are left.
  if (node.code != kBuiltinCustom) {
    if (node.code == kBuiltinMaxPool2d || node.code == kBuiltinAveragePool2d) {
      node.code = kBuiltinMaxPool2d + kBuiltinAveragePool2d - node.code;
    } else if (node.builtin.size() >= 8) {
      node.code = random.pick(kCodes);
    } else {
      node.code = node.builtin.empty() ? kBuiltinRelu6 : random.below(2) * kBuiltinMul;
    }
    return "operator " + std::to_string(node.code);
  }
  node.name = random.pick(kNames);
  return "operator " + node.name;
}

std::string change(Node& node, size_t tensors, Random& random) {
  switch (random.below(12)) {
    case 0:
    case 1:
      return "input " + change_numbers(node.inputs, tensors, random);
    case 2:
      return "output " + change_numbers(node.outputs, tensors, random);
    case 3:
      return change_operator(node, random);
    case 4:
      if (random.once_in(2)) {
        node.has_custom = false;
        node.custom.clear();
        return "without options";
      }
      node.has_builtin = false;
      return "without parameters";
    default:
      if (node.code != kBuiltinCustom) return change_builtin(node.builtin, random);
      return random.once_in(3) ? change_bytes(node.custom, random)
                               : change_option(node.custom, random);
  }
}

}  // namespace

std::string mutate_node(Network& network, Random& random) {
  const int number = random.below(network.nodes.size());
  const std::string said = "node " + std::to_string(number) + ": ";
  switch (random.below(24)) {
    case 0:
      network.nodes.push_back(network.nodes[number]);
      return said + "twice";
    case 1:
      network.nodes.erase(network.nodes.begin() + number);
      return said + "left out";
    case 2:
      std::swap(network.nodes[number], random.pick(network.nodes));
      return said + "elsewhere";
    case 3:
      return "network's inputs: " + change_numbers(network.inputs, network.tensors.size(), random);
    case 4:
      return "network's outputs: " +
             change_numbers(network.outputs, network.tensors.size(), random);
    default:
      return said + change(network.nodes[number], network.tensors.size(), random);
  }
}

}  // namespace host
