#include "network.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tflite.h"

namespace host {
namespace {

[[noreturn]] void stop(const char* path, const char* why) {
  std::fprintf(stderr, "%s: %s\n", path, why);
  std::exit(2);
}

class Reader {
 public:
  explicit Reader(const char* path) : path_(path), bytes_(read_bytes(path)) {}

  int integer() { return value<int32_t>(); }
  float real() { return value<float>(); }

  std::vector<int> integers() {
    std::vector<int> found(count());
    for (int& value : found) value = integer();
    return found;
  }

  std::vector<uint8_t> bytes() {
    const size_t length = count();
    if (length > bytes_.size() - at_) stop(path_, "is cut off");
    std::vector<uint8_t> found(bytes_.begin() + at_, bytes_.begin() + at_ + length);
    at_ += length;
    return found;
  }

  size_t count() {
    const int found = integer();
    if (found < 0 || static_cast<size_t>(found) > bytes_.size()) stop(path_, "is damaged");
    return static_cast<size_t>(found);
  }

 private:
  template <class Value>
  Value value() {
    Value found;
    if (sizeof found > bytes_.size() - at_) stop(path_, "is cut off");
    std::memcpy(&found, bytes_.data() + at_, sizeof found);
    at_ += sizeof found;
    return found;
  }

  const char* path_;
  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
};

Tensor read_tensor(Reader& reader) {
  Tensor tensor;
  tensor.type = reader.integer();
  tensor.shape = reader.integers();
  tensor.scale = reader.real();
  tensor.zero_point = reader.integer();
  const bool is_constant = reader.integer() != 0;
  tensor.constant = reader.bytes();
  tensor.allocation_type = is_constant ? kTfLiteMmapRo : 0;
  const int64_t bytes = shape_bytes(tensor.shape, tensor.type);
  tensor.bytes = is_constant ? tensor.constant.size() : bytes < 0 ? 0 : static_cast<size_t>(bytes);
  return tensor;
}

Node read_node(Reader& reader) {
  Node node;
  node.code = reader.integer();
  const std::vector<uint8_t> name = reader.bytes();
  node.name.assign(name.begin(), name.end());
  node.inputs = reader.integers();
  node.outputs = reader.integers();
  node.builtin = reader.bytes();
  node.has_builtin = !node.builtin.empty();
  node.custom = reader.bytes();
  node.has_custom = !node.custom.empty();
  return node;
}

}  // namespace

std::vector<uint8_t> read_bytes(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) stop(path, "cannot be read");
  std::vector<uint8_t> bytes;
  uint8_t some[4096];
  for (size_t count; (count = std::fread(some, 1, sizeof some, file)) > 0;) {
    bytes.insert(bytes.end(), some, some + count);
  }
  std::fclose(file);
  return bytes;
}

Network read_network(const char* path) {
  Reader reader(path);
  Network network;
  for (size_t left = reader.count(); left > 0; --left) network.tensors.push_back(read_tensor(reader));
  for (size_t left = reader.count(); left > 0; --left) network.nodes.push_back(read_node(reader));
  network.inputs = reader.integers();
  network.outputs = reader.integers();
  return network;
}

size_t type_size(int type) {
  switch (type) {
    case 3: case 6: case 9: return 1;            // uint8, bool, int8
    case 7: case 10: return 2;                   // int16, float16
    case 1: case 2: case 16: return 4;           // float32, int32, uint32
    case 4: case 8: case 11: case 13: return 8;  // int64, complex64, float64, uint64
    default: return 0;
  }
}

int64_t shape_bytes(const std::vector<int>& shape, int type) {
  int64_t bytes = static_cast<int64_t>(type_size(type));
  for (const int size : shape) {
    if (size < 0 || (size > 0 && bytes > (int64_t{1} << 40) / size)) return -1;
    bytes *= size;
  }
  return bytes;
}

}  // namespace host
