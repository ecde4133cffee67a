#include "threads.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <system_error>

namespace recu {
namespace {

// An operator follows the other within microseconds: a thread waits busily for so many turns, about
// 50 microseconds, before it goes to sleep.
constexpr int kTurns = 2000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The processors that this process may use; 0 where that is unknown.
int count_processors() {
#ifdef __linux__
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) return CPU_COUNT(&processors);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

Threads::Threads(int count) {
  // More than there are processors would wait busily for each other.
  const int processors = count_processors();
  const int useful = processors == 0 ? count : std::min(count, processors);
  try {
    for (int thread = 1; thread < useful; ++thread) {
      workers_.emplace_back([this, thread] { wait_for_work(thread); });
    }
  } catch (const std::system_error&) {
    // There is no memory for more: those that there are share the work.
  }
}

Threads::~Threads() {
  stop_ = true;
  ++round_;
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }
  begin_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Threads::run_part(int thread) const {
  if (thread >= parts_) return;
  const int64_t items = items_;
  const int first = static_cast<int>(items * thread / parts_);
  const int last = static_cast<int>(items * (thread + 1) / parts_);
  if (first < last) (*work_)(first, last);
}

// Whether there is work, and not the end.
bool Threads::wait_for_round(uint64_t seen) {
  for (int turn = 0; turn < kTurns && round_ == seen; ++turn) pause();
  if (round_ == seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++sleeping_;
    begin_.wait(lock, [&] { return round_ != seen; });
    --sleeping_;
  }
  return !stop_;
}

void Threads::wait_for_work(int thread) {
  for (uint64_t seen = 0; wait_for_round(seen); ++seen) {
    run_part(thread);
    --running_;
  }
}

void Threads::split(int items, double cost, const std::function<void(int, int)>& work) {
  const double parts = items * cost / kLeastCost;
  parts_ = parts < count() ? static_cast<int>(parts) : count();
  if (parts_ <= 1 || workers_.empty()) {
    if (items > 0) work(0, items);
    return;
  }
  work_ = &work;
  items_ = items;
  running_ = static_cast<int>(workers_.size());
  ++round_;
  if (sleeping_ > 0) {
    {
      // One that has seen no work and does not sleep yet holds it.
      std::lock_guard<std::mutex> lock(mutex_);
    }
    begin_.notify_all();
  }
  run_part(0);
  for (int turn = 0; running_ > 0; ++turn) {
    if (turn < kTurns) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace recu
