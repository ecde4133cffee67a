// The backend for x86-64 processors with AVX2.
#include <immintrin.h>

#include "tile.h"

namespace recu {
namespace {

struct Avx2Vector {
  static constexpr int lanes = 32;
  // Sixteen registers: the sums of eight vectors, the weights of a step, and a row of the table.
  static constexpr int pixels_for(int vectors) { return vectors == 4 ? 2 : 4; }
  using Bytes = __m256i;

  static Bytes zero() { return _mm256_setzero_si256(); }
  static Bytes load(const uint8_t* bytes) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }
  static Bytes row(uint8_t nibble) {
    return _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(difference_table + nibble)));
  }
  static Bytes look_up(Bytes row, Bytes weights) { return _mm256_shuffle_epi8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
  template <bool kAdd>
  static void widen(Bytes sums, uint16_t* counts) {
    __m256i* even = reinterpret_cast<__m256i*>(counts);
    __m256i* odd = reinterpret_cast<__m256i*>(counts + lanes / 2);
    __m256i low = _mm256_and_si256(sums, _mm256_set1_epi16(255));
    __m256i high = _mm256_srli_epi16(sums, 8);
    if (kAdd) {
      low = _mm256_add_epi16(low, _mm256_loadu_si256(even));
      high = _mm256_add_epi16(high, _mm256_loadu_si256(odd));
    }
    _mm256_storeu_si256(even, low);
    _mm256_storeu_si256(odd, high);
  }
  template <int kCount>
  static uint32_t signs(const float* values) {
    if (kCount == 1) return values[0] < 0;
    uint32_t bits = 0;
    for (int i = 0; i < kCount; i += 8) {
      const __m256 below =
          _mm256_cmp_ps(_mm256_loadu_ps(values + i), _mm256_setzero_ps(), _CMP_LT_OQ);
      bits |= static_cast<uint32_t>(_mm256_movemask_ps(below)) << i;
    }
    return bits;
  }
};

void expand(const uint8_t* bits, size_t bytes, uint8_t* nibbles) {
  const __m128i upper = _mm_set1_epi8(static_cast<char>(0xf0));
  size_t byte = 0;
  for (; byte + 16 <= bytes; byte += 16) {
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bits + byte));
    const __m128i first = _mm_and_si128(_mm_slli_epi16(both, 4), upper);
    const __m128i second = _mm_and_si128(both, upper);
    __m128i* out = reinterpret_cast<__m128i*>(nibbles + 2 * byte);
    _mm_storeu_si128(out, _mm_unpacklo_epi8(first, second));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi8(first, second));
  }
  expand_bytes(bits + byte, bytes - byte, nibbles + 2 * byte);
}

}  // namespace

extern const Backend avx2_backend;
const Backend avx2_backend = make_backend<Avx2Vector>("AVX2", expand);

}  // namespace recu
