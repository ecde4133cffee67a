#include "backend.h"

namespace recu {

extern const Backend portable_backend;
extern const Backend avx2_backend;
extern const Backend avx512_backend;
extern const Backend popcount_backend;
extern const Backend neon_backend;

namespace {

struct PairTable {
  alignas(64) uint8_t rows[256][16];
};

constexpr int count_of_four(int bits) {
  return (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1);
}

constexpr PairTable make_table() {
  PairTable table{};
  for (int row = 0; row < 256; ++row) {
    for (int weights = 0; weights < 16; ++weights) {
      table.rows[row][weights] = static_cast<uint8_t>(count_of_four((row & 15) ^ weights) +
                                                      16 * count_of_four(row >> 4 ^ weights));
    }
  }
  return table;
}

constexpr PairTable table = make_table();

}  // namespace

const uint8_t* const pair_table = table.rows[0];

int find_backends(const Backend* found[kMostBackends]) {
  int count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    if (__builtin_cpu_supports("avx512vpopcntdq")) found[count++] = &popcount_backend;
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
