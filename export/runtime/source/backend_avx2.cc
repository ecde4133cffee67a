// The backend for x86-64 processors with AVX2.
#include "vectors_avx2.h"

namespace recu {
namespace {

// Sixteen registers: sums and upper halves of four vectors, the rows of three steps.
void count(const uint8_t* weights, int width, const uint8_t* const* windows, int window_count,
           const Segment* segments, size_t segment_count, uint16_t* counts) {
  const auto count_windows = width == 128  ? count_by_lookup<Avx2Vector, 1, 4>
                             : width == 64 ? count_by_lookup<Avx2Vector, 1, 2>
                             : width == 32 ? count_by_lookup<Avx2Vector, 2, 1>
                                           : count_by_lookup<Avx2HalfVector, 2, 1>;
  count_windows(weights, windows, window_count, segments, segment_count, counts);
}

}  // namespace

extern const Backend avx2_backend;
constexpr Backend avx2_backend =
    lookup_backend<Avx2Vector, Avx2Floats, 128, 64, 32, 16>("AVX2", count);

}  // namespace recu
