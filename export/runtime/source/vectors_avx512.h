// Vectors of AVX-512, for its two backends.
#pragma once

#include "vectors_avx2.h"

namespace recu {
namespace {

struct Avx512Floats {
  using Value = __m512;
  static constexpr int lanes = 16;

  static __m512i widen(const uint16_t* counts) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(counts)));
  }
  static Value load(const uint16_t* counts) { return _mm512_cvtepi32_ps(widen(counts)); }
  static Value load(const float* values) { return _mm512_loadu_ps(values); }
  static Value fill(float x) { return _mm512_set1_ps(x); }
  static void store(float* values, Value x) { _mm512_storeu_ps(values, x); }
  static Value multiply(Value x, Value y) { return _mm512_mul_ps(x, y); }
  static Value add(Value x, Value y) { return _mm512_add_ps(x, y); }
  // Of two operands of which one is not a number, the second is the result.
  static Value clamp(Value x, Value lowest, Value highest) {
    return _mm512_min_ps(highest, _mm512_max_ps(lowest, x));
  }
  static Value scale_below_zero(Value x, Value slopes) {
    const __mmask16 keep = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    return _mm512_mask_mov_ps(_mm512_mul_ps(x, slopes), keep, x);
  }
  static uint32_t below_zero(Value x) {
    return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  }
  static uint32_t above(Value counts, const int32_t* thresholds) {
    const __m512 limits = _mm512_cvtepi32_ps(_mm512_loadu_si512(thresholds));
    return _mm512_cmp_ps_mask(counts, limits, _CMP_GT_OQ);
  }
};

}  // namespace
}  // namespace recu
