// What a processor could do at best, to compare the steps of a profile with: its clock, and the binary
// multiply-accumulates of a backend per cycle.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "recu_delegate.h"

namespace recu {
namespace {

struct Limit {
  const char* backend;
  double macs_per_cycle;
};

// Upper bounds: what the vector instructions of the innermost loop allow, on the widest processor of the
// kind, if loads and the ends of the convolutions took no time. Where counts are looked up (lookup.h),
// three steps of two windows, 24 bits of each filter, take three shuffles, four additions, a shift and a
// mask.
constexpr Limit kLimits[] = {
    // Nine instructions for 64 filters, on four vector units (Zen 5). Intel's processors have two: half
    // of it, as Zen 4.
    {"AVX-512", 64 * 24 * 4.0 / 9},
    // An exclusive or, a count and an addition for 512 bits, on four vector units (Zen 5). Intel's
    // processors have two units: half of it.
    {"AVX-512 VPOPCNTDQ", 4.0 / 3 * 512},
    // Nine instructions for 32 filters, on four vector units (Zen). Intel's processors have three, and
    // before Ice Lake one that shuffles.
    {"AVX2", 32 * 24 * 4.0 / 9},
    // Eight instructions for 16 filters (no mask), on four vector units (Cortex-X, Neoverse V, Apple).
    // Cortex-A and Neoverse N have two: half of it.
    {"NEON", 16 * 24 * 4.0 / 8},
    // No shuffle: about 36 instructions of SSE2 for 16 filters, on four vector units.
    {"portable", 16 * 24 * 4.0 / 36},
};

double measure_rate() {
  constexpr int kRounds = 1 << 15, kAdditions = 16;
  uint64_t sum = 0, summand = 1;
  // Unknown to the compiler, and in a register: some processors add constants without waiting.
  asm volatile("" : "+r"(summand));
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kAdditions; ++i) {
      sum += summand;
      asm volatile("" : "+r"(sum));
    }
  }
  const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
  return double(kRounds) * kAdditions / passed.count();
}

}  // namespace
}  // namespace recu

// Cycles per nanosecond, now: additions that wait for each other take a cycle each. It takes 3 ms.
double recu_measure_clock() {
  double fastest = 0;  // other programs only slow it down
  for (int trial = 0; trial < 16; ++trial) fastest = std::max(fastest, recu::measure_rate());
  return fastest;
}

// The most binary multiply-accumulates per cycle and core of a backend; 0 where that is not stated.
double recu_limit(const char* backend) {
  for (const recu::Limit& limit : recu::kLimits) {
    if (std::strcmp(limit.backend, backend) == 0) return limit.macs_per_cycle;
  }
  return 0;
}
