// Threads that work on the parts of one operator at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace recu {

class Threads {
 public:
  // `count` threads in all, but no more than the processors that the process may use: the caller's own
  // is one of them.
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(first, last) on pieces of 0 ... items, and returns when all are done. There are as many
  // parts as threads, or fewer, so that each has a cost of kLeastCost at least. Each thread takes the
  // pieces of its own part, whose data its core has from the operator before, and then those that
  // others have left: a thread that comes late, or whose core is slower, holds nobody up.
  // `cost` is that of an item, in about nanoseconds.
  void split(int items, double cost, const std::function<void(int, int)>& work);

 private:
  // On a cache line of its own.
  struct alignas(64) Part {
    std::atomic<int> next{0};
    int last = 0;
  };

  // Sharing costs two waits of some microseconds, so smaller work is not split; tests lower this.
#ifdef RECU_LEAST_COST
  static constexpr double kLeastCost = RECU_LEAST_COST;
#else
  static constexpr double kLeastCost = 10000;
#endif

  void wait_for_work(int thread);
  bool wait_for_round(uint64_t& seen);
  void take_pieces(int thread);
  void wake();

  std::vector<std::thread> workers_;
  // The system's number of each worker, 0 before it runs.
  std::vector<std::atomic<int>> numbers_;
  // The processor that the workers keep off: the caller's when it last woke them.
  int kept_free_ = -1;
  // Of the work of this round; changed only while it is not open and nobody helps.
  std::vector<Part> parts_;
  const std::function<void(int, int)>* work_ = nullptr;
  int shared_parts_ = 0;
  int piece_ = 1;
  std::atomic<uint64_t> round_{0};
  std::atomic<bool> open_{false};
  std::atomic<int> helpers_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of those that sleep
  std::condition_variable begin_;
};

}  // namespace recu
