// Threads that work on the parts of one operator at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace recu {

class Threads {
 public:
  // `count` threads in all: the caller's own is one of them.
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(first, last) on about equal parts of 0 ... items, one for each thread, and
  // returns when all are done. Runs in the caller's thread alone where there is only one.
  void split(int items, const std::function<void(int, int)>& work);

 private:
  void wait_for_work(int thread);
  void run_part(int thread) const;

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(int, int)>* work_ = nullptr;
  int items_ = 0;
  int running_ = 0;
  long round_ = 0;
  bool stop_ = false;
};

}  // namespace recu
