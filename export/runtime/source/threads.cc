#include "threads.h"

namespace recu {

Threads::Threads(int count) {
  for (int thread = 1; thread < count; ++thread) {
    workers_.emplace_back([this, thread] { wait_for_work(thread); });
  }
}

Threads::~Threads() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  begin_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Threads::run_part(int thread) const {
  const long items = items_;
  const int first = static_cast<int>(items * thread / count());
  const int last = static_cast<int>(items * (thread + 1) / count());
  if (first < last) (*work_)(first, last);
}

void Threads::wait_for_work(int thread) {
  long seen = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      begin_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    run_part(thread);
    std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) end_.notify_one();
  }
}

void Threads::split(int items, const std::function<void(int, int)>& work) {
  if (workers_.empty()) {
    if (items > 0) work(0, items);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    items_ = items;
    running_ = static_cast<int>(workers_.size());
    ++round_;
  }
  begin_.notify_all();
  run_part(0);
  std::unique_lock<std::mutex> lock(mutex_);
  end_.wait(lock, [this] { return running_ == 0; });
}

}  // namespace recu
