#include "option_map.h"

#include "flexbuffer.h"

namespace host {

OptionMap read_options(const std::vector<uint8_t>& bytes) {
  static const char* const kNames[] = {
      "channels_in", "dilation_height_factor", "dilation_width_factor", "fused_activation_function",
      "filter_height", "filter_width", "pad_values", "padding", "stride_height", "stride_width"};
  OptionMap options;
  for (const char* name : kNames) {
    if (const auto value = recu::flexbuffer_integer(bytes.data(), bytes.size(), name)) {
      options[name] = *value;
    }
  }
  return options;
}

std::vector<uint8_t> write_options(const OptionMap& options, int width) {
  std::vector<uint8_t> bytes;
  const auto write = [&](uint64_t value, int length) {
    for (int byte = 0; byte < length; ++byte) {
      bytes.push_back(byte < 8 ? static_cast<uint8_t>(value >> (8 * byte)) : 0);
    }
  };
  std::vector<size_t> names;
  for (const auto& [name, value] : options) {
    names.push_back(bytes.size());
    bytes.insert(bytes.end(), name.c_str(), name.c_str() + name.size() + 1);
  }
  // Distances back to the names take more than a byte.
  constexpr int kKeyWidth = 2;
  write(options.size(), kKeyWidth);
  const size_t keys = bytes.size();
  for (const size_t name : names) write(bytes.size() - name, kKeyWidth);
  write(bytes.size() - keys, width);
  write(kKeyWidth, width);
  write(options.size(), width);
  const size_t map = bytes.size();
  for (const auto& [name, value] : options) write(static_cast<uint64_t>(value), width);
  constexpr uint8_t kInteger = 1, kMap = 9;
  const uint8_t logarithm = width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3;
  for (size_t i = 0; i < options.size(); ++i) {
    bytes.push_back(static_cast<uint8_t>(kInteger << 2 | logarithm));
  }
  write(bytes.size() - map, 1);
  bytes.push_back(static_cast<uint8_t>(kMap << 2 | logarithm));
  bytes.push_back(1);
  return bytes;
}

int needed_width(const OptionMap& options) {
  int width = 1;
  for (const auto& [name, value] : options) {
    while (width < 8 && (value < -(int64_t{1} << (8 * width - 1)) ||
                         value >= int64_t{1} << (8 * width - 1))) {
      width *= 2;
    }
  }
  return width;
}

}  // namespace host
