// The backend for 64-bit ARM processors, all of which have NEON.
#include <arm_neon.h>

#include "tile.h"

namespace recu {
namespace {

struct NeonVector {
  static constexpr int lanes = 16;
  // Thirty-two registers.
  static constexpr int pixels_for(int vectors) { return vectors == 1 ? 8 : 4; }
  using Bytes = uint8x16_t;

  static Bytes zero() { return vdupq_n_u8(0); }
  static Bytes load(const uint8_t* bytes) { return vld1q_u8(bytes); }
  static Bytes row(uint8_t nibble) { return vld1q_u8(difference_table + nibble); }
  static Bytes look_up(Bytes row, Bytes weights) { return vqtbl1q_u8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return vaddq_u8(a, b); }
  template <bool kAdd>
  static void widen(Bytes sums, uint16_t* counts) {
    const uint16x8_t pairs = vreinterpretq_u16_u8(sums);
    uint16x8_t low = vandq_u16(pairs, vdupq_n_u16(255));
    uint16x8_t high = vshrq_n_u16(pairs, 8);
    if (kAdd) {
      low = vaddq_u16(low, vld1q_u16(counts));
      high = vaddq_u16(high, vld1q_u16(counts + lanes / 2));
    }
    vst1q_u16(counts, low);
    vst1q_u16(counts + lanes / 2, high);
  }
  template <int kCount>
  static uint32_t signs(const float* values) {
    if (kCount == 1) return values[0] < 0;
    const uint32_t places[4] = {1, 2, 4, 8};
    const uint32x4_t place = vld1q_u32(places);
    uint32_t bits = 0;
    for (int i = 0; i < kCount; i += 4) {
      bits |= vaddvq_u32(vandq_u32(vcltzq_f32(vld1q_f32(values + i)), place)) << i;
    }
    return bits;
  }
};

}  // namespace

extern const Backend neon_backend;
const Backend neon_backend = make_backend<NeonVector>("NEON", expand_bytes);

}  // namespace recu
