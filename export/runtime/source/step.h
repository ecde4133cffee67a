// Operators that run as one, while the values are in the cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "convolution.h"
#include "operators.h"
#include "threads.h"

namespace recu {

// Types and zero point that a step needs of its tensors beside their places.
struct Types {
  bool int8_input = false;
  bool int8_output = false;
  int zero_point = 0;  // of the int8 tensor
  float scale = 1;
};

// An operator with what follows it: a multiplication and an addition per channel, the addition of
// another tensor, a PReLU, a clamp, and the packing of signs, in this order.
struct Step {
  Operator first;
  std::vector<int> inputs;  // tensors
  int residual = -1;        // tensor that is added
  int values = -1;          // tensor to store; -1 where nobody reads the values
  int bits = -1;            // tensor of packed signs
  Clamp clamp;
  std::vector<float> multiplier;
  std::vector<float> bias;
  bool adds_constant = false;  // rather than have a bias only because there is a multiplier
  std::vector<float> slopes;
  std::unique_ptr<Convolution> convolution;
  Types types;
  std::string name;
  double bytes = 0;        // of what it reads and writes, as the file stores it
  // Where they are measured: of all runs, and of the last one.
  double nanoseconds = 0;
  double last_nanoseconds = 0;
};

// Where the tensors of a step lie.
struct Memory {
  std::vector<const void*> inputs;
  const float* residual = nullptr;
  void* values = nullptr;
  uint32_t* bits = nullptr;
  uint8_t* scratch = nullptr;
};

// Runs a step on all images.
void run_step(const Step& step, const Memory& memory, const Backend& backend, Threads& threads);

}  // namespace recu
