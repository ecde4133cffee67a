// Integers from a FlexBuffers map, in which the engine's operators keep their options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace recu {

// The integer that a map has for a key; nothing where it has none, or is damaged. Reads no byte
// outside of the buffer, whatever is in it.
std::optional<int32_t> flexbuffer_integer(const uint8_t* buffer, size_t size, const char* key);

}  // namespace recu
