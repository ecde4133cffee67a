#include "step.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace recu {
namespace {

// About what a core does, to see what is worth another thread.
constexpr double kValuesInNanosecond = 4;

// Of a row of a pool's outputs, in nanoseconds.
double cost_of_row(const Operator& pool) {
  return double(pool.columns.output) * pool.rows.size * pool.columns.size * pool.input_channels /
         kValuesInNanosecond;
}

Finish finish_of(const Step& step, int pixels, int channels) {
  Finish finish{};
  finish.pixels = pixels;
  finish.channels = channels;
  finish.input_stride = finish.output_stride = static_cast<size_t>(channels);
  finish.bits_stride = words_of(channels);
  finish.lowest = step.clamp.lowest;
  finish.highest = step.clamp.highest;
  if (!step.multiplier.empty() || !step.bias.empty()) {
    finish.multiplier = step.multiplier.data();
    finish.bias = step.bias.data();
  }
  if (!step.slopes.empty()) finish.slopes = step.slopes.data();
  return finish;
}

// The same for the pixels from a later one on: the places in memory move.
Finish finish_at(Finish finish, const Memory& memory, size_t pixel) {
  if (memory.residual != nullptr) finish.residual = memory.residual + pixel * finish.output_stride;
  if (memory.values != nullptr) {
    finish.values = static_cast<float*>(memory.values) + pixel * finish.output_stride;
  }
  if (memory.bits != nullptr) finish.bits = memory.bits + pixel * finish.bits_stride;
  return finish;
}

int all_pixels(const Operator& first) { return static_cast<int>(first.images * first.pixels); }

void run_convolution(const Step& step, const Memory& memory, Threads& threads) {
  const ConvolutionOptions& options = step.convolution->options();
  const size_t input = static_cast<size_t>(options.rows.input) * options.columns.input *
                       words_of(options.channels);
  const size_t pixels = static_cast<size_t>(options.rows.output) * options.columns.output;
  const size_t values = pixels * options.filters, words = pixels * words_of(options.filters);
  const size_t value_bytes = options.output == Output::kInt8 ? 1 : 4;
  for (int image = 0; image < step.first.images; ++image) {
    Convolution::Results results{};
    if (memory.residual != nullptr) results.residual = memory.residual + image * values;
    if (!step.slopes.empty()) results.slopes = step.slopes.data();
    results.clamp = step.clamp;
    if (memory.values != nullptr) {
      results.values = static_cast<char*>(memory.values) + image * values * value_bytes;
    }
    if (memory.bits != nullptr) results.bits = memory.bits + image * words;
    step.convolution->run(static_cast<const uint32_t*>(memory.inputs[0]) + image * input, results,
                          memory.scratch, threads);
  }
}

void run_values(const Step& step, const Memory& memory, const Backend& backend, Threads& threads) {
  const float* inputs = static_cast<const float*>(memory.inputs[0]);
  const int channels = step.first.channels;
  threads.split(all_pixels(step.first), channels / kValuesInNanosecond, [&](int first, int last) {
    const Finish finish = finish_at(finish_of(step, last - first, channels), memory, first);
    backend.finish_values(inputs + static_cast<size_t>(first) * channels, finish);
  });
}

void run_pool(const Step& step, const Memory& memory, const Backend& backend, Threads& threads) {
  const Operator& pool = step.first;
  const int outputs = pool.rows.output, columns = pool.columns.output;
  const size_t image_values =
      static_cast<size_t>(pool.rows.input) * pool.columns.input * pool.input_channels;
  threads.split(pool.images * outputs, cost_of_row(pool), [&](int first, int last) {
    std::vector<float> values(static_cast<size_t>(columns) * pool.channels);
    for (int row = first; row < last; ++row) {
      const float* image =
          static_cast<const float*>(memory.inputs[0]) + row / outputs * image_values;
      backend.pool(image, pool.rows, pool.columns, pool.input_channels,
                   pool.kind == Kind::kMaxPool, row % outputs, values.data());
      const size_t pixel = static_cast<size_t>(row) * columns;
      backend.finish_values(values.data(),
                            finish_at(finish_of(step, columns, pool.channels), memory, pixel));
    }
  });
}

// A largest value is -1 only where all are: bits are 1 for -1.
void run_binary_pool(const Step& step, const Memory& memory, Threads& threads) {
  const Operator& pool = step.first;
  const Axis &rows = pool.rows, &columns = pool.columns;
  const size_t words = pool.input_channels;
  const uint32_t* input = static_cast<const uint32_t*>(memory.inputs[0]);
  threads.split(pool.images * rows.output, cost_of_row(pool), [&](int first_row, int last_row) {
    for (int number = first_row; number < last_row; ++number) {
      const int image = number / rows.output, row = number % rows.output;
      const int top = row * rows.stride - rows.before;
      for (int column = 0; column < columns.output; ++column) {
        const int left = column * columns.stride - columns.before;
        uint32_t* out = static_cast<uint32_t*>(memory.values) +
                        (static_cast<size_t>(number) * columns.output + column) * words;
        std::fill(out, out + words, ~0u);
        for (int y = std::max(top, 0); y < std::min(top + rows.size, rows.input); ++y) {
          for (int x = std::max(left, 0); x < std::min(left + columns.size, columns.input); ++x) {
            const size_t pixel =
                (static_cast<size_t>(image) * rows.input + y) * columns.input + x;
            for (size_t i = 0; i < words; ++i) out[i] &= input[pixel * words + i];
          }
        }
      }
    }
  });
}

void quantize_int8(const Step& step, const Memory& memory) {
  const int8_t* input = static_cast<const int8_t*>(memory.inputs[0]);
  const int channels = step.first.channels;
  const size_t words = words_of(channels);
  for (int pixel = 0; pixel < all_pixels(step.first); ++pixel) {
    uint32_t* bits = memory.bits + pixel * words;
    std::fill(bits, bits + words, 0u);
    for (int i = 0; i < channels; ++i, ++input) {
      bits[i / 32] |= static_cast<uint32_t>(*input < step.types.zero_point) << (i % 32);
    }
  }
}

template <class Value>
void unpack(const Operator& first, const uint32_t* bits, Value positive, Value negative,
            Value* values) {
  const size_t words = words_of(first.channels);
  const Value of_bit[] = {positive, negative};  // a branch would be mispredicted every other time
  for (int pixel = 0; pixel < all_pixels(first); ++pixel, bits += words) {
    for (int i = 0; i < first.channels; ++i) *values++ = of_bit[bits[i / 32] >> (i % 32) & 1];
  }
}

void run_dequantize(const Step& step, const Memory& memory) {
  const Types& types = step.types;
  const uint32_t* bits = static_cast<const uint32_t*>(memory.inputs[0]);
  if (!types.int8_output) {
    unpack(step.first, bits, 1.0f, -1.0f, static_cast<float*>(memory.values));
    return;
  }
  const float unit = std::min(std::round(1.0f / types.scale), 1000.0f);
  const int8_t positive = static_cast<int8_t>(std::min(127, types.zero_point + static_cast<int>(unit)));
  const int8_t negative =
      static_cast<int8_t>(std::max(-128, types.zero_point - static_cast<int>(unit)));
  unpack(step.first, bits, positive, negative, static_cast<int8_t*>(memory.values));
}

void run_padding(const Step& step, const Memory& memory) {
  const Operator& padding = step.first;
  const float* in = static_cast<const float*>(memory.inputs[0]);
  float* out = static_cast<float*>(memory.values);
  for (int pixel = 0; pixel < all_pixels(padding); ++pixel) {
    std::fill(out, out + padding.channels, 0.0f);
    std::copy(in, in + padding.input_channels, out + padding.before);
    in += padding.input_channels;
    out += padding.channels;
  }
}

void run_concatenation(const Step& step, const Memory& memory, const std::vector<int>& channels) {
  int before = 0;
  for (size_t number = 0; number < channels.size(); ++number) {
    const float* in = static_cast<const float*>(memory.inputs[number]);
    float* out = static_cast<float*>(memory.values) + before;
    for (int pixel = 0; pixel < all_pixels(step.first); ++pixel) {
      std::copy(in, in + channels[number], out);
      in += channels[number];
      out += step.first.channels;
    }
    before += channels[number];
  }
}

}  // namespace

void run_step(const Step& step, const Memory& memory, const Backend& backend, Threads& threads) {
  switch (step.first.kind) {
    case Kind::kConvolution:
      return run_convolution(step, memory, threads);
    case Kind::kQuantize:
      if (step.types.int8_input) return quantize_int8(step, memory);
      return run_values(step, memory, backend, threads);
    case Kind::kMultiply:
    case Kind::kAddConstant:
    case Kind::kAdd:
    case Kind::kPrelu:
    case Kind::kClamp:
      return run_values(step, memory, backend, threads);
    case Kind::kAveragePool:
    case Kind::kMaxPool:
      return run_pool(step, memory, backend, threads);
    case Kind::kBinaryMaxPool:
      return run_binary_pool(step, memory, threads);
    case Kind::kDequantize:
      return run_dequantize(step, memory);
    case Kind::kPadChannels:
      return run_padding(step, memory);
    case Kind::kConcatenate:
      return run_concatenation(step, memory, step.first.concatenated);
  }
}

}  // namespace recu
