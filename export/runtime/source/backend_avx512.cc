// The backend for x86-64 processors with AVX-512 F, BW, DQ and VL.
#include "vectors_avx512.h"

namespace recu {
namespace {

struct Avx512Vector {
  static constexpr int lanes = 64, windows = 1;
  using Bytes = __m512i;

  static Bytes zero() { return _mm512_setzero_si512(); }
  static Bytes load(const uint8_t* bytes) { return _mm512_loadu_si512(bytes); }
  static Bytes row(const uint8_t* const* input, int step) {
    return _mm512_broadcast_i32x4(Avx2Bytes::table_row(input[0][step]));
  }
  static Bytes look_up(Bytes row, Bytes weights) { return _mm512_shuffle_epi8(row, weights); }
  static Bytes add(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
  static Bytes upper_halves(Bytes a) {
    return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15));
  }
  static Bytes first(Bytes sums, Bytes upper) {
    const __m512i sixteenfold =
        _mm512_slli_epi16(_mm512_and_si512(upper, _mm512_set1_epi8(15)), 4);
    return _mm512_sub_epi8(sums, sixteenfold);
  }
  template <bool kAdd>
  static void store(Bytes sums, uint16_t* counts, size_t) {
    put<kAdd>(_mm512_and_si512(sums, _mm512_set1_epi16(255)), counts);
    put<kAdd>(_mm512_srli_epi16(sums, 8), counts + 32);
  }
  template <bool kAdd>
  static void put(__m512i some, uint16_t* counts) {
    _mm512_storeu_si512(counts, kAdd ? _mm512_add_epi16(some, _mm512_loadu_si512(counts)) : some);
  }
};

// Thirty-two registers.
void count(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  const auto count_windows = width == 256   ? count_by_lookup<Avx512Vector, 1, 4>
                             : width == 128 ? count_by_lookup<Avx512Vector, 2, 2>
                             : width == 64  ? count_by_lookup<Avx512Vector, 2, 1>
                             : width == 32  ? count_by_lookup<Avx2Vector, 2, 1>
                                            : count_by_lookup<Avx2HalfVector, 2, 1>;
  count_windows(weights, windows, window_count, segments, segment_count, counts);
}

}  // namespace

extern const Backend avx512_backend;
constexpr Backend avx512_backend =
    lookup_backend<Avx512Vector, Avx512Floats, 256, 128, 64, 32, 16>("AVX-512", count);

}  // namespace recu
