// The backend for x86-64 processors with AVX-512 F, BW, DQ and VL.
#include <immintrin.h>

#include "tile.h"

namespace recu {
namespace {

struct Avx512Vector {
  static constexpr int lanes = 64;
  // Thirty-two registers.
  static constexpr int pixels_for(int vectors) { return vectors == 1 ? 8 : 4; }
  using Bytes = __m512i;

  static Bytes zero() { return _mm512_setzero_si512(); }
  static Bytes load(const uint8_t* bytes) { return _mm512_loadu_si512(bytes); }
  static Bytes row(uint8_t nibble) {
    return _mm512_broadcast_i32x4(
        _mm_load_si128(reinterpret_cast<const __m128i*>(difference_table + nibble)));
  }
  static Bytes look_up(Bytes row, Bytes weights) { return _mm512_shuffle_epi8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
  template <bool kAdd>
  static void widen(Bytes sums, uint16_t* counts) {
    __m512i low = _mm512_and_si512(sums, _mm512_set1_epi16(255));
    __m512i high = _mm512_srli_epi16(sums, 8);
    if (kAdd) {
      low = _mm512_add_epi16(low, _mm512_loadu_si512(counts));
      high = _mm512_add_epi16(high, _mm512_loadu_si512(counts + lanes / 2));
    }
    _mm512_storeu_si512(counts, low);
    _mm512_storeu_si512(counts + lanes / 2, high);
  }
  template <int kCount>
  static uint32_t signs(const float* values) {
    if (kCount == 1) return values[0] < 0;
    if (kCount == 8) {
      return _mm256_cmp_ps_mask(_mm256_loadu_ps(values), _mm256_setzero_ps(), _CMP_LT_OQ);
    }
    uint32_t bits = 0;
    for (int i = 0; i < kCount; i += 16) {
      const __m512 some = _mm512_loadu_ps(values + i);
      bits |= static_cast<uint32_t>(_mm512_cmp_ps_mask(some, _mm512_setzero_ps(), _CMP_LT_OQ)) << i;
    }
    return bits;
  }
};

void expand(const uint8_t* bits, size_t bytes, uint8_t* nibbles) {
  const __m256i upper = _mm256_set1_epi8(static_cast<char>(0xf0));
  size_t byte = 0;
  for (; byte + 16 <= bytes; byte += 16) {
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bits + byte));
    const __m256i wide = _mm256_cvtepu8_epi16(both);
    const __m256i halves = _mm256_or_si256(_mm256_slli_epi16(wide, 4), _mm256_slli_epi16(wide, 8));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(nibbles + 2 * byte),
                        _mm256_and_si256(halves, upper));
  }
  expand_bytes(bits + byte, bytes - byte, nibbles + 2 * byte);
}

}  // namespace

extern const Backend avx512_backend;
const Backend avx512_backend = make_backend<Avx512Vector>("AVX-512", expand);

}  // namespace recu
