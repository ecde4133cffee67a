// The integers of a FlexBuffers map, read and written anew, to change them on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace host {

using OptionMap = std::map<std::string, int64_t>;

// Those options of the engine's operators that the bytes have.
OptionMap read_options(const std::vector<uint8_t>& bytes);

// `width` is that of each number in bytes, 1, 2, 4 or 8; numbers are cut to it.
std::vector<uint8_t> write_options(const OptionMap& options, int width);

// The width that the largest number takes.
int needed_width(const OptionMap& options);

}  // namespace host
