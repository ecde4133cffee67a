#include "threads.h"

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <system_error>

namespace recu {
namespace {

// An operator follows the other within microseconds: a thread waits busily for so many turns, about
// 50 microseconds, before it goes to sleep.
constexpr int kTurns = 2000;
// Into so many pieces each part is cut: the last of them decides how long the others wait.
constexpr int kPieces = 4;

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

// The one that runs this thread; -1 where that is unknown.
int current_processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// The system's number of this thread.
int current_thread() {
#ifdef __linux__
  return static_cast<int>(syscall(SYS_gettid));
#else
  return 0;
#endif
}

// Lets a thread use all processors that this one may use, but for one of them.
void keep_off(int thread, int processor) {
#ifdef __linux__
  cpu_set_t others;
  if (sched_getaffinity(0, sizeof others, &others) != 0) return;
  CPU_CLR(processor, &others);
  // Refused where there are no others.
  sched_setaffinity(thread, sizeof others, &others);
#endif
}

}  // namespace

Threads::Threads(int count) : numbers_(std::max(1, count)), parts_(numbers_.size()) {
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

void Threads::take_pieces(int thread) {
  for (int distance = 0; distance < shared_parts_; ++distance) {
    Part& part = parts_[(thread + distance) % shared_parts_];
    for (int first; (first = part.next.fetch_add(piece_)) < part.last;) {
      (*work_)(first, std::min(first + piece_, part.last));
    }
  }
}

// Waits for another round than `seen`, which becomes it; whether there is work, and not the end.
bool Threads::wait_for_round(uint64_t& seen) {
  for (int turn = 0; turn < kTurns && round_ == seen; ++turn) pause();
  if (round_ == seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++sleeping_;
    begin_.wait(lock, [&] { return round_ != seen; });
    --sleeping_;
  }
  // In this order: the end comes with a round of its own, which nobody may take for one with work.
  seen = round_;
  return !stop_;
}

void Threads::wait_for_work(int thread) {
  numbers_[thread] = current_thread();
  for (uint64_t seen = 0; wait_for_round(seen);) {
    // Whoever is counted before the round is closed is waited for; who comes later finds it closed.
    ++helpers_;
    if (open_) take_pieces(thread);
    --helpers_;
  }
}

// Linux may wake a thread on the processor of the one that wakes it, where it waits until that one has
// had its time: in a virtual machine it takes processors that rest for busy ones.
void Threads::wake() {
  const int processor = current_processor();
  if (processor >= 0 && processor != kept_free_) {
    for (const int worker : numbers_) {
      if (worker != 0) keep_off(worker, processor);
    }
    kept_free_ = processor;
  }
  {
    // One that has seen no work and does not sleep yet holds it.
    std::lock_guard<std::mutex> lock(mutex_);
  }
  begin_.notify_all();
}

void Threads::split(int items, double cost, const std::function<void(int, int)>& work) {
  const double parts = items * cost / kLeastCost;
  shared_parts_ = parts < count() ? static_cast<int>(parts) : count();
  if (shared_parts_ <= 1 || workers_.empty()) {
    if (items > 0) work(0, items);
    return;
  }
  work_ = &work;
  piece_ = std::max(1, items / (shared_parts_ * kPieces));
  for (int part = 0; part < shared_parts_; ++part) {
    parts_[part].next = static_cast<int>(int64_t{items} * part / shared_parts_);
    parts_[part].last = static_cast<int>(int64_t{items} * (part + 1) / shared_parts_);
  }
  open_ = true;
  ++round_;
  if (sleeping_ > 0) wake();
  take_pieces(0);
  open_ = false;
  for (int turn = 0; helpers_ > 0; ++turn) {
    if (turn < kTurns) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace recu
