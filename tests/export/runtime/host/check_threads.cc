// Checks how threads share work; prints what went wrong and exits with 1.
//
// Compiled with -finstrument-functions, which calls the functions below on the way in and out of each
// other one.
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "threads.h"

#define NOT_INSTRUMENTED __attribute__((no_instrument_function))

namespace {

// Whether threads stop now and then between two functions, as on a busy processor.
bool dawdles = false;

NOT_INSTRUMENTED void dawdle() {
  static thread_local uint32_t random = 1;
  if (!dawdles) return;
  random = random * 1664525 + 1013904223;
  if (random >> 28 == 0) usleep(random >> 16 & 127);
}

}  // namespace

extern "C" {
NOT_INSTRUMENTED void __cyg_profile_func_enter(void*, void*) { dawdle(); }
NOT_INSTRUMENTED void __cyg_profile_func_exit(void*, void*) { dawdle(); }
}

namespace {

constexpr int kThreads = 3;
constexpr double kCost = 1e6;  // of an item: all of them are shared

bool fail(const char* what) {
  std::printf("%s\n", what);
  return false;
}

bool does_each_item_once(recu::Threads& threads) {
  for (int round = 0; round < 2000; ++round) {
    // Every hundredth time the others have gone to sleep.
    if (round % 100 == 0) usleep(2000);
    const int items = round % 70;
    std::vector<int> done(items);
    threads.split(items, kCost, [&](int first, int last) {
      for (int item = first; item < last; ++item) ++done[item];
    });
    for (const int times : done) {
      if (times != 1) return fail("an item was not done once");
    }
  }
  return true;
}

// Whoever else gets a piece waits until all others are done, which leaves them to the caller.
bool caller_does_what_others_leave(recu::Threads& threads) {
  if (threads.count() == 1) return true;
  const std::thread::id caller = std::this_thread::get_id();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto late = [&] { return std::chrono::steady_clock::now() > end; };
  for (bool helped = false; !helped;) {
    if (late()) return fail("no other thread took a piece, or the caller left pieces to it");
    std::atomic<int> done{0}, held{0};
    threads.split(40, kCost, [&](int first, int last) {
      if (std::this_thread::get_id() == caller) {
        done += last - first;
        return;
      }
      held += last - first;
      while (done + held < 40 && !late()) std::this_thread::yield();
    });
    helped = held > 0;
  }
  return true;
}

bool others_keep_off_the_callers_processor(recu::Threads& threads) {
  if (threads.count() == 1) return true;
  cpu_set_t own;
  sched_getaffinity(0, sizeof own, &own);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> allowed{-1};
  for (int round = 0; round < 10000 && allowed < 0; ++round) {
    usleep(2000);
    threads.split(40, kCost, [&](int, int) {
      if (std::this_thread::get_id() == caller) {
        usleep(100);
        return;
      }
      cpu_set_t mask;
      sched_getaffinity(0, sizeof mask, &mask);
      allowed = CPU_COUNT(&mask);
    });
  }
  if (allowed != CPU_COUNT(&own) - 1) return fail("a thread may share the caller's processor");
  return true;
}

void stop(int) {
  static const char kWhat[] = "threads do not end\n";
  _exit(write(STDOUT_FILENO, kWhat, sizeof kWhat - 1) > 0 ? 1 : 2);
}

// Whenever the end comes, also while the others are still on their way to or from the last work; if
// they do not end, the program does.
void end_threads_at_any_time() {
  signal(SIGALRM, stop);
  dawdles = true;
  for (int time = 0; time < 500; ++time) {
    alarm(60);
    recu::Threads threads(kThreads);
    threads.split(2, kCost, [](int, int) {});
  }
  alarm(0);
  dawdles = false;
}

}  // namespace

int main() {
  end_threads_at_any_time();
  recu::Threads threads(kThreads);
  const bool right = does_each_item_once(threads) && caller_does_what_others_leave(threads) &&
                     others_keep_off_the_callers_processor(threads);
  return right ? 0 : 1;
}
