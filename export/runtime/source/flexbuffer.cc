#include "flexbuffer.h"

#include <cstring>
#include <limits>

// A buffer ends with the root: its value, the packed type and the width of the value in bytes. The
// value of a map is the distance back to its first element. Before that stand the number of elements,
// the width of the keys and the distance back to the keys, each as wide as an element. Behind the
// elements stands the packed type of each: its kind times four, plus the binary logarithm of the width
// of what it points to. See https://flatbuffers.dev/flatbuffers_internals (FlexBuffers encoding).

namespace recu {
namespace {

enum Kind { kInt = 1, kUint = 2, kIndirectInt = 6, kIndirectUint = 7, kMap = 9, kBool = 26 };

bool is_width(uint64_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

class Reader {
 public:
  Reader(const uint8_t* buffer, size_t size) : buffer_(buffer), size_(size) {}

  std::optional<uint64_t> unsigned_at(size_t position, uint64_t width) const {
    if (!is_width(width) || position > size_ || width > size_ - position) return std::nullopt;
    uint64_t value = 0;
    // Little-endian, whatever the machine is.
    for (uint64_t byte = 0; byte < width; ++byte) {
      value |= static_cast<uint64_t>(buffer_[position + byte]) << (8 * byte);
    }
    return value;
  }

  std::optional<int64_t> signed_at(size_t position, uint64_t width) const {
    const auto value = unsigned_at(position, width);
    if (!value) return std::nullopt;
    const int unused = 64 - 8 * static_cast<int>(width);
    return static_cast<int64_t>(*value << unused) >> unused;
  }

  // The position that a distance stored at a position leads back to.
  std::optional<size_t> target(size_t position, uint64_t width) const {
    const auto distance = unsigned_at(position, width);
    if (!distance || *distance > position) return std::nullopt;
    return position - static_cast<size_t>(*distance);
  }

  bool text_is(size_t position, const char* text) const {
    const size_t length = std::strlen(text) + 1;  // with the zero at its end
    return position <= size_ && length <= size_ - position &&
           std::memcmp(buffer_ + position, text, length) == 0;
  }

  std::optional<int64_t> integer(size_t position, uint64_t width, uint8_t type) const {
    const uint64_t target_width = uint64_t{1} << (type & 3);
    switch (type >> 2) {
      case kInt:
        return signed_at(position, width);
      case kUint:
      case kBool:
        return unsigned_at(position, width);
      case kIndirectInt:
        if (const auto found = target(position, width)) return signed_at(*found, target_width);
        return std::nullopt;
      case kIndirectUint:
        if (const auto found = target(position, width)) return unsigned_at(*found, target_width);
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

 private:
  const uint8_t* buffer_;
  size_t size_;
};

}  // namespace

std::optional<int32_t> flexbuffer_integer(const uint8_t* buffer, size_t size, const char* key) {
  if (buffer == nullptr || size < 3) return std::nullopt;
  const Reader reader(buffer, size);
  const uint64_t root_width = buffer[size - 1];
  const uint8_t root_type = buffer[size - 2];
  if ((root_type >> 2) != kMap || !is_width(root_width) || size < root_width + 2) return std::nullopt;
  const auto map = reader.target(size - 2 - root_width, root_width);
  const uint64_t width = uint64_t{1} << (root_type & 3);
  if (!map || *map < 3 * width) return std::nullopt;
  const auto count = reader.unsigned_at(*map - width, width);
  const auto key_width = reader.unsigned_at(*map - 2 * width, width);
  const auto keys = reader.target(*map - 3 * width, width);
  if (!count || !key_width || !keys || !is_width(*key_width)) return std::nullopt;
  if (*count > (size - *map) / (width + 1)) return std::nullopt;
  for (uint64_t element = 0; element < *count; ++element) {
    const auto name = reader.target(*keys + element * *key_width, *key_width);
    if (!name || !reader.text_is(*name, key)) continue;
    const uint8_t type = buffer[*map + *count * width + element];
    const auto value = reader.integer(*map + element * width, width, type);
    if (!value || *value < std::numeric_limits<int32_t>::min() ||
        *value > std::numeric_limits<int32_t>::max()) {
      return std::nullopt;
    }
    return static_cast<int32_t>(*value);
  }
  return std::nullopt;
}

}  // namespace recu
