#include "backend.h"

namespace recu {

extern const Backend portable_backend;
extern const Backend avx2_backend;
extern const Backend avx512_backend;
extern const Backend neon_backend;

#define ROW(a)                                                                                    \
  BITS(a ^ 0), BITS(a ^ 1), BITS(a ^ 2), BITS(a ^ 3), BITS(a ^ 4), BITS(a ^ 5), BITS(a ^ 6),      \
      BITS(a ^ 7), BITS(a ^ 8), BITS(a ^ 9), BITS(a ^ 10), BITS(a ^ 11), BITS(a ^ 12),            \
      BITS(a ^ 13), BITS(a ^ 14), BITS(a ^ 15)
#define BITS(x) (((x) & 1) + ((x) >> 1 & 1) + ((x) >> 2 & 1) + ((x) >> 3 & 1))
alignas(64) const uint8_t difference_table[256] = {
    ROW(0), ROW(1), ROW(2),  ROW(3),  ROW(4),  ROW(5),  ROW(6),  ROW(7),
    ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15)};
#undef BITS
#undef ROW

int find_backends(const Backend* found[kMostBackends]) {
  int count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    found[count++] = &avx512_backend;
  }
  if (__builtin_cpu_supports("avx2")) found[count++] = &avx2_backend;
#elif defined(__aarch64__)
  found[count++] = &neon_backend;
#endif
  found[count++] = &portable_backend;
  return count;
}

}  // namespace recu
