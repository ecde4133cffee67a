// Runs a network with the delegate alone: run_network NETWORK INPUTS OUTPUTS [OPTION=VALUE ...]
//
// NETWORK is a dump of network_dump.py; INPUTS are the bytes of its inputs behind each other, and
// OUTPUTS is written likewise. The options are those of the delegate: backend, num_threads, profile. It
// prints the name of the backend.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "host.h"
#include "recu_delegate.h"

namespace {

void report(const char* message) { std::fprintf(stderr, "%s\n", message); }

int run(const host::Network& network, const std::vector<uint8_t>& inputs, TfLiteDelegate* delegate,
        const char* path) {
  size_t at = 0;
  host::Host host(network, [&](int, uint8_t* data, size_t bytes) {
    const size_t some = std::min(bytes, inputs.size() - at);
    std::memcpy(data, inputs.data() + at, some);
    at += some;
  });
  if (!host.apply(delegate) || !host.allocate() || !host.invoke()) {
    report(host.message().c_str());
    return 1;
  }
  if (host.nodes_left() > 0 || at != inputs.size()) {
    report(host.nodes_left() > 0 ? "the delegate leaves nodes to an interpreter, which is not here"
                                 : "there are more inputs than the network has");
    return 1;
  }
  std::FILE* file = std::fopen(path, "wb");
  if (file == nullptr) {
    report("the outputs cannot be written");
    return 1;
  }
  for (const int output : network.outputs) {
    const TfLiteTensor& tensor = host.tensor(output);
    std::fwrite(tensor.data, 1, tensor.bytes, file);
  }
  return std::fclose(file) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    report("run_network NETWORK INPUTS OUTPUTS [OPTION=VALUE ...]");
    return 2;
  }
  std::vector<std::string> options(arguments + 4, arguments + count);
  std::vector<char*> keys, values;
  for (std::string& option : options) {
    const size_t equals = option.find('=');
    if (equals == std::string::npos) {
      report("an option has no value");
      return 2;
    }
    option[equals] = 0;
    keys.push_back(option.data());
    values.push_back(option.data() + equals + 1);
  }
  TfLiteDelegate* delegate =
      tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(), report);
  if (delegate == nullptr) return 2;
  std::printf("%s\n", recu_backend(delegate));
  const int status = run(host::read_network(arguments[1]), host::read_bytes(arguments[2]), delegate,
                         arguments[3]);
  tflite_plugin_destroy_delegate(delegate);
  return status;
}
