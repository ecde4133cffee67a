// Vectors of AVX2, for the backends of AVX2 and AVX-512.
#pragma once

#include <immintrin.h>

#include "lookup.h"

namespace recu {
namespace {

struct Avx2Bytes {
  using Bytes = __m256i;

  static Bytes zero() { return _mm256_setzero_si256(); }
  static Bytes look_up(Bytes row, Bytes weights) { return _mm256_shuffle_epi8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
  static Bytes upper_halves(Bytes a) {
    return _mm256_and_si256(_mm256_srli_epi16(a, 4), _mm256_set1_epi8(15));
  }
  static Bytes first(Bytes sums, Bytes upper) {
    const __m256i sixteenfold =
        _mm256_slli_epi16(_mm256_and_si256(upper, _mm256_set1_epi8(15)), 4);
    return _mm256_sub_epi8(sums, sixteenfold);
  }
  static __m128i table_row(uint8_t bits) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(pair_table + 16 * bits));
  }
  static __m256i even(Bytes sums) { return _mm256_and_si256(sums, _mm256_set1_epi16(255)); }
  static __m256i odd(Bytes sums) { return _mm256_srli_epi16(sums, 8); }
};

// 32 filters.
struct Avx2Vector : Avx2Bytes {
  static constexpr int lanes = 32, windows = 1;

  static Bytes load(const uint8_t* bytes) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }
  static Bytes row(const uint8_t* const* input, int step) {
    return _mm256_broadcastsi128_si256(table_row(input[0][step]));
  }
  template <bool kAdd>
  static void store(Bytes sums, uint16_t* counts, size_t) {
    put<kAdd>(even(sums), counts);
    put<kAdd>(odd(sums), counts + 16);
  }
  template <bool kAdd>
  static void put(__m256i some, uint16_t* counts) {
    __m256i* at = reinterpret_cast<__m256i*>(counts);
    _mm256_storeu_si256(at, kAdd ? _mm256_add_epi16(some, _mm256_loadu_si256(at)) : some);
  }
};

// 16 filters, twice: for two windows.
struct Avx2HalfVector : Avx2Bytes {
  static constexpr int lanes = 16, windows = 2;

  static Bytes load(const uint8_t* bytes) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  }
  static Bytes row(const uint8_t* const* input, int step) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(table_row(input[0][step])),
                                   table_row(input[1][step]), 1);
  }
  template <bool kAdd>
  static void store(Bytes sums, uint16_t* counts, size_t stride) {
    const __m256i evens = even(sums), odds = odd(sums);
    put<kAdd>(_mm256_castsi256_si128(evens), counts);
    put<kAdd>(_mm256_castsi256_si128(odds), counts + 8);
    put<kAdd>(_mm256_extracti128_si256(evens, 1), counts + stride);
    put<kAdd>(_mm256_extracti128_si256(odds, 1), counts + stride + 8);
  }
  template <bool kAdd>
  static void put(__m128i some, uint16_t* counts) {
    __m128i* at = reinterpret_cast<__m128i*>(counts);
    _mm_storeu_si128(at, kAdd ? _mm_add_epi16(some, _mm_loadu_si128(at)) : some);
  }
};

struct Avx2Floats {
  using Value = __m256;
  static constexpr int lanes = 8;

  static __m256i widen(const uint16_t* counts) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(counts)));
  }
  static Value load(const uint16_t* counts) { return _mm256_cvtepi32_ps(widen(counts)); }
  static Value load(const float* values) { return _mm256_loadu_ps(values); }
  static Value fill(float x) { return _mm256_set1_ps(x); }
  static void store(float* values, Value x) { _mm256_storeu_ps(values, x); }
  static Value multiply(Value x, Value y) { return _mm256_mul_ps(x, y); }
  static Value add(Value x, Value y) { return _mm256_add_ps(x, y); }
  // Of two operands of which one is not a number, the second is the result.
  static Value clamp(Value x, Value lowest, Value highest) {
    return _mm256_min_ps(highest, _mm256_max_ps(lowest, x));
  }
  static Value scale_below_zero(Value x, Value slopes) {
    const __m256 keep = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GE_OQ);
    return _mm256_blendv_ps(_mm256_mul_ps(x, slopes), x, keep);
  }
  static uint32_t below_zero(Value x) {
    return static_cast<uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ)));
  }
  static uint32_t above(Value counts, const int32_t* thresholds) {
    const __m256i limits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(thresholds));
    return static_cast<uint32_t>(_mm256_movemask_ps(
        _mm256_cmp_ps(counts, _mm256_cvtepi32_ps(limits), _CMP_GT_OQ)));
  }
};

}  // namespace
}  // namespace recu
