// The backend for processors without one of their own, in the vectors of GCC and Clang.
#include "lookup.h"

namespace recu {
namespace {

struct PortableVector {
  static constexpr int lanes = 16, windows = 1;
  typedef uint8_t Bytes __attribute__((vector_size(16)));

  static Bytes zero() { return Bytes{}; }
  static Bytes load(const uint8_t* bytes) {
    Bytes value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  // There is no shuffle to rely on: the row is the eight bits themselves, and the bits that differ are
  // counted, in pairs and then in each half.
  static Bytes row(const uint8_t* const* input, int step) { return Bytes{} + input[0][step]; }
  static Bytes look_up(Bytes bits, Bytes weights) {
    const Bytes differing = bits ^ (weights | weights << 4);
    const Bytes pairs = differing - ((differing >> 1) & 0x55);
    return (pairs & 0x33) + ((pairs >> 2) & 0x33);
  }
  static Bytes add(Bytes a, Bytes b) { return a + b; }
  static Bytes upper_halves(Bytes a) { return a >> 4; }
  static Bytes first(Bytes sums, Bytes upper) { return sums - (upper << 4); }
  template <bool kAdd>
  static void store(Bytes sums, uint16_t* counts, size_t) {
    for (int i = 0; i < lanes; ++i) {
      uint16_t& count = counts[(i & 1) * (lanes / 2) + i / 2];
      count = static_cast<uint16_t>(sums[i] + (kAdd ? count : 0));
    }
  }
};

void count(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  const auto count_windows =
      width == 32 ? count_by_lookup<PortableVector, 1, 2> : count_by_lookup<PortableVector, 2, 1>;
  count_windows(weights, windows, window_count, segments, segment_count, counts);
}

}  // namespace

extern const Backend portable_backend;
constexpr Backend portable_backend =
    lookup_backend<PortableVector, SingleFloat, 32, 16>("portable", count);

}  // namespace recu
