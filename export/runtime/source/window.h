// How a kernel or a pool moves over one axis of an image.
#pragma once

#include <algorithm>
#include <cstdint>

namespace recu {

// Words that hold a bit for each of so many channels. Of internal linkage: the linker would take the
// copy of any backend for all, with instructions that a processor may lack.
static constexpr int words_of(int channels) { return (channels + 31) / 32; }

struct Axis {
  int input = 1;
  int output = 1;
  int size = 1;  // of the kernel
  int stride = 1;
  int dilation = 1;
  int before = 0;  // padding in front

  int extent() const { return (size - 1) * dilation + 1; }

  // The input with all that windows see beyond it.
  int padded() const { return std::max((output - 1) * stride + extent(), input + before); }

  // How many outputs there are, as TensorFlow counts them.
  int expected_output(bool same) const {
    const int64_t positions = same ? int64_t{input} + stride - 1 : int64_t{input} - extent() + stride;
    return positions < stride ? 0 : static_cast<int>(positions / stride);
  }

  void pad_same() {
    const int64_t needed = int64_t{output - 1} * stride + extent() - input;
    before = static_cast<int>(std::max<int64_t>(needed, 0) / 2);
  }
};

}  // namespace recu
