// The backend for 64-bit ARM processors, all of which have NEON.
#include <arm_neon.h>

#include "lookup.h"

namespace recu {
namespace {

struct NeonVector {
  static constexpr int lanes = 16, windows = 1;
  using Bytes = uint8x16_t;

  static Bytes zero() { return vdupq_n_u8(0); }
  static Bytes load(const uint8_t* bytes) { return vld1q_u8(bytes); }
  static Bytes row(const uint8_t* const* input, int step) {
    return vld1q_u8(pair_table + 16 * input[0][step]);
  }
  static Bytes look_up(Bytes row, Bytes weights) { return vqtbl1q_u8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return vaddq_u8(a, b); }
  static Bytes upper_halves(Bytes a) { return vshrq_n_u8(a, 4); }
  static Bytes first(Bytes sums, Bytes upper) { return vsubq_u8(sums, vshlq_n_u8(upper, 4)); }
  template <bool kAdd>
  static void store(Bytes sums, uint16_t* counts, size_t) {
    const uint16x8_t pairs = vreinterpretq_u16_u8(sums);
    put<kAdd>(vandq_u16(pairs, vdupq_n_u16(255)), counts);
    put<kAdd>(vshrq_n_u16(pairs, 8), counts + 8);
  }
  template <bool kAdd>
  static void put(uint16x8_t some, uint16_t* counts) {
    vst1q_u16(counts, kAdd ? vaddq_u16(some, vld1q_u16(counts)) : some);
  }
};

struct NeonFloats {
  using Value = float32x4_t;
  static constexpr int lanes = 4;

  static uint32x4_t widen(const uint16_t* counts) { return vmovl_u16(vld1_u16(counts)); }
  static Value load(const uint16_t* counts) { return vcvtq_f32_u32(widen(counts)); }
  static Value load(const float* values) { return vld1q_f32(values); }
  static Value fill(float x) { return vdupq_n_f32(x); }
  static void store(float* values, Value x) { vst1q_f32(values, x); }
  static Value multiply(Value x, Value y) { return vmulq_f32(x, y); }
  static Value add(Value x, Value y) { return vaddq_f32(x, y); }
  // By comparisons: what is not a number is kept, and 0 of either sign.
  static Value clamp(Value x, Value lowest, Value highest) {
    x = vbslq_f32(vcltq_f32(x, lowest), lowest, x);
    return vbslq_f32(vcgtq_f32(x, highest), highest, x);
  }
  static Value scale_below_zero(Value x, Value slopes) {
    return vbslq_f32(vcgezq_f32(x), x, vmulq_f32(x, slopes));
  }
  static uint32_t bits_of(uint32x4_t lanes_set) {
    const uint32_t places[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(lanes_set, vld1q_u32(places)));
  }
  static uint32_t below_zero(Value x) { return bits_of(vcltzq_f32(x)); }
  static uint32_t above(Value counts, const int32_t* thresholds) {
    return bits_of(vcgtq_f32(counts, vcvtq_f32_s32(vld1q_s32(thresholds))));
  }
};

// Thirty-two registers.
void count(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  const auto count_windows = width == 64   ? count_by_lookup<NeonVector, 2, 4>
                             : width == 32 ? count_by_lookup<NeonVector, 2, 2>
                                           : count_by_lookup<NeonVector, 4, 1>;
  count_windows(weights, windows, window_count, segments, segment_count, counts);
}

}  // namespace

extern const Backend neon_backend;
constexpr Backend neon_backend =
    lookup_backend<NeonVector, NeonFloats, 64, 32, 16>("NEON", count);

}  // namespace recu
