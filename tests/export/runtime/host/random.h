// Numbers that are the same on every machine for a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>

namespace host {

class Random {
 public:
  explicit Random(uint64_t seed) : numbers_(static_cast<std::mt19937::result_type>(seed)) {}

  uint32_t word() { return static_cast<uint32_t>(numbers_()); }
  // From 0 to count - 1.
  int below(size_t count) { return static_cast<int>(word() % count); }
  // Once in so many times.
  bool once_in(int times) { return below(times) == 0; }

  template <class Values>
  auto& pick(Values& values) {
    return *(std::begin(values) + below(std::size(values)));
  }

  // An integer instead of `now`: near it, small, or of those at which programs break.
  int integer(int now) {
    static const int kEdges[] = {0,    -1,      1 << 20, (1 << 20) + 1, 65535, 65536, 46341,
                                 1000, INT32_MIN, INT32_MAX, INT32_MAX - 1, -128,  1 << 30};
    const uint32_t old = static_cast<uint32_t>(now);
    switch (below(8)) {
      case 0: return static_cast<int>(old + 1);
      case 1: return static_cast<int>(old - 1);
      case 2: return static_cast<int>(old * 2);
      case 3: return now / 2;
      case 4: return pick(kEdges);
      default: return below(9);
    }
  }

 private:
  std::mt19937 numbers_;
};

}  // namespace host
