// A network as an interpreter has it after it read a file: what tests dump for the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace host {

struct Tensor {
  int type = 0;  // TfLiteType
  bool has_shape = true;
  std::vector<int> shape;
  float scale = 0;
  int zero_point = 0;
  int allocation_type = 0;
  bool has_data = true;           // of a constant
  size_t bytes = 0;               // of the data, which are as long
  std::vector<uint8_t> constant;  // repeated where `bytes` is more
  int shift = 0;                  // of a constant: bytes beyond an aligned address
};

struct Node {
  int code = 0;      // of the builtin operator; 32 for custom ones
  std::string name;  // of a custom operator
  std::vector<int> inputs;
  std::vector<int> outputs;
  bool has_builtin = false;
  std::vector<uint8_t> builtin;  // the fields of its parameters, as in tflite.h
  bool has_custom = false;
  std::vector<uint8_t> custom;  // options
};

struct Network {
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  std::vector<int> inputs;
  std::vector<int> outputs;
};

// Reads a whole file; ends the program where there is none.
std::vector<uint8_t> read_bytes(const char* path);

// Reads a dump of network_dump.py; ends the program where it is cut off.
Network read_network(const char* path);

// Bytes of a value; 0 for types without a size.
size_t type_size(int type);

// Bytes that a tensor of a shape takes; -1 where a size is below zero or the product is too large.
int64_t shape_bytes(const std::vector<int>& shape, int type);

}  // namespace host
