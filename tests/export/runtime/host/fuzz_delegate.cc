// Runs the delegate on networks, and on networks that it damages:
// fuzz_delegate COUNT SEED NETWORK ...
//
// Each network is run as it is, then COUNT times one of them with a few mutations. Sanitizers, with
// which this is compiled, end the program at the first fault. What was being run is then printed; with
// the same networks, `fuzz_delegate 1 SEED NETWORK ...` does the same again.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <unistd.h>

#include "host.h"
#include "mutation.h"
#include "recu_delegate.h"

// Asked by the sanitizers: a fault aborts, so that what was being run can be said. More than 2 GB at
// once is a fault as well.
#define OPTIONS "abort_on_error=1:halt_on_error=1:max_allocation_size_mb=2048"
#define ASKED extern "C" __attribute__((visibility("default"))) const char*
ASKED __asan_default_options() { return OPTIONS; }
ASKED __ubsan_default_options() { return OPTIONS ":print_stacktrace=1"; }
ASKED __tsan_default_options() { return OPTIONS; }

namespace {

// Seconds for one network; far more than any takes.
constexpr unsigned kMostSeconds = 60;
constexpr int64_t kMostBytes = int64_t{1} << 22;

char running[4096];  // what is being run

void stop(int signal) {
  const char* why = signal == SIGALRM ? "\nIt takes too long." : "\nIt was ended.";
  const bool said = write(STDERR_FILENO, why, std::strlen(why)) > 0 &&
                    write(STDERR_FILENO, running, std::strlen(running)) > 0;
  _exit(said ? 3 : 4);
}

struct Counts {
  long refused_options = 0, refused = 0, faults = 0, runs = 0;
};

std::string draw_text(host::Random& random) {
  static const char* const kTexts[] = {"num_threads", "backend", "profile", "portable", "AVX2",
                                       "",            "0",       "-1",      "1 ",       " 1",
                                       "2x",          "+2",      "1",       "2",        "9999999999999999999999"};
  std::string text = random.pick(kTexts);
  if (random.once_in(3)) text.push_back(static_cast<char>(1 + random.below(255)));
  return text;
}

std::vector<std::string> list_backends() {
  std::istringstream lines(recu_backends());
  std::vector<std::string> names;
  for (std::string name; std::getline(lines, name);) names.push_back(name);
  return names;
}

// A text that the delegate gives is a whole one.
void read_text(const char* text) {
  if (std::strlen(text) > sizeof running) std::abort();
}

TfLiteDelegate* create_delegate(host::Random& random, bool damages) {
  static const std::vector<std::string> backends = list_backends();
  std::vector<std::string> words{"num_threads", random.once_in(4) ? "2" : "1"};
  if (!random.once_in(8)) {
    words.push_back("backend");
    words.push_back(random.pick(backends));
  }
  if (random.once_in(8)) {
    words.push_back("profile");
    words.push_back("1");
  }
  if (damages && random.once_in(16)) random.pick(words) = draw_text(random);
  if (damages && random.once_in(32)) {
    words.push_back(draw_text(random));
    words.push_back(draw_text(random));
  }
  // Each text in memory of its own that ends with it.
  std::vector<std::unique_ptr<char[]>> texts;
  std::vector<char*> keys, values;
  for (const std::string& word : words) {
    texts.emplace_back(new char[word.size() + 1]);
    std::memcpy(texts.back().get(), word.c_str(), word.size() + 1);
    (keys.size() > values.size() ? values : keys).push_back(texts.back().get());
  }
  return tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(), read_text);
}

// Values of all kinds: small ones, and any bits at all.
void fill(host::Random& random, uint8_t* data, size_t bytes) {
  const bool wild = random.once_in(3);
  for (size_t at = 0; at < bytes; at += 4) {
    const float small = static_cast<float>(static_cast<int>(random.word() % 2001) - 1000) / 100;
    uint32_t word = random.word();
    if (!wild) std::memcpy(&word, &small, sizeof word);
    std::memcpy(data + at, &word, std::min<size_t>(sizeof word, bytes - at));
  }
}

void add_to_description(const std::string& said) {
  const size_t length = std::strlen(running);
  std::snprintf(running + length, sizeof running - length, "%s\n", said.c_str());
}

// Once the delegate is applied, as an interpreter does again after an input was resized.
void run_in_host(const host::Network& network, TfLiteDelegate* delegate, host::Random& random,
                 bool damages, Counts& counts) {
  host::Host host(
      network, [&](int, uint8_t* data, size_t bytes) { fill(random, data, bytes); }, kMostBytes);
  if (!host.apply(delegate) || !host.allocate()) {
    ++counts.refused;
    if (!damages) add_to_description(host.message());
    return;
  }
  if (damages && random.once_in(4)) {
    const int number = random.below(network.tensors.size());
    host::Tensor now = network.tensors[number];
    const std::string said = host::mutate_prepared(now, random);
    if (static_cast<int64_t>(now.bytes) < kMostBytes) {
      add_to_description("once prepared, tensor " + std::to_string(number) + ": " + said);
      host.change(number, now);
    }
  }
  const bool ran = host.invoke() && host.invoke();
  ++(ran ? counts.runs : counts.faults);
  for (const char* text : {recu_profile(delegate), recu_nodes(delegate), recu_backend(delegate)}) {
    read_text(text);
  }
}

void run(const host::Network& network, host::Random& random, bool damages, Counts& counts) {
  alarm(kMostSeconds);
  TfLiteDelegate* delegate = create_delegate(random, damages);
  if (delegate == nullptr) {
    ++counts.refused_options;
    return;
  }
  run_in_host(network, delegate, random, damages, counts);
  if (random.once_in(8)) {
    Counts not_counted;
    run_in_host(network, delegate, random, damages, not_counted);
  }
  tflite_plugin_destroy_delegate(delegate);
}

void print(const char* what, const Counts& counts) {
  std::printf("%s: %ld ran, %ld stopped at a run, %ld were refused, %ld had wrong options\n", what,
              counts.runs, counts.faults, counts.refused, counts.refused_options);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "fuzz_delegate COUNT SEED NETWORK ...\n");
    return 2;
  }
  const long last = std::atol(arguments[1]);
  const unsigned long seed = std::strtoul(arguments[2], nullptr, 10);
  std::vector<host::Network> networks;
  for (int i = 3; i < count; ++i) networks.push_back(host::read_network(arguments[i]));
  std::signal(SIGALRM, stop);
  std::signal(SIGABRT, stop);
  Counts counts;
  for (size_t i = 0; i < networks.size(); ++i) {
    host::Random random(seed + i);
    std::snprintf(running, sizeof running, "\n%s as it is\n", arguments[3 + i]);
    run(networks[i], random, false, counts);
  }
  print("networks as they are", counts);
  counts = {};
  for (long number = 0; number < last; ++number) {
    host::Random random(seed + number);
    const size_t chosen = random.below(networks.size());
    host::Network network = networks[chosen];
    const std::string said = host::mutate(network, random);
    std::snprintf(running, sizeof running, "\nseed %lu, %s: %s\n", seed + number,
                  arguments[3 + chosen], said.c_str());
    run(network, random, true, counts);
  }
  print("mutations", counts);
  return 0;
}
