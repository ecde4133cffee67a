// The backend for processors without one of their own, in the vectors of GCC and Clang.
#include <cstring>

#include "tile.h"

namespace recu {
namespace {

struct PortableVector {
  static constexpr int lanes = 16;
  static constexpr int pixels_for(int) { return 2; }
  typedef uint8_t Bytes __attribute__((vector_size(16)));

  static Bytes zero() { return Bytes{}; }
  static Bytes load(const uint8_t* bytes) {
    Bytes value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  // There is no shuffle to rely on: the row is the four bits themselves, and the bits that differ are
  // counted, in pairs and then in all.
  static Bytes row(uint8_t nibble) { return Bytes{} + static_cast<uint8_t>(nibble >> 4); }
  static Bytes look_up(Bytes nibble, Bytes weights) {
    const Bytes differing = nibble ^ weights;
    const Bytes pairs = differing - ((differing >> 1) & 5);
    return (pairs & 3) + (pairs >> 2);
  }
  static Bytes add(Bytes a, Bytes b) { return a + b; }
  template <bool kAdd>
  static void widen(Bytes sums, uint16_t* counts) {
    for (int i = 0; i < lanes; ++i) {
      uint16_t& count = counts[(i & 1) * (lanes / 2) + i / 2];
      count = static_cast<uint16_t>(sums[i] + (kAdd ? count : 0));
    }
  }
  template <int kCount>
  static uint32_t signs(const float* values) {
    uint32_t bits = 0;
    for (int i = 0; i < kCount; ++i) bits |= static_cast<uint32_t>(values[i] < 0) << i;
    return bits;
  }
};

}  // namespace

extern const Backend portable_backend;
const Backend portable_backend = make_backend<PortableVector>("portable", expand_bytes);

}  // namespace recu
