// How the interpreter shares the nodes of a graph between itself and a delegate: in turns, each takes
// those nodes whose inputs are there, until none is left.
#include <algorithm>

#include "host.h"

namespace host {
namespace {

// Of a tensor: the number of the subset that fills it, or one of these.
constexpr int kAlways = -2;  // an input of the graph or a constant
constexpr int kNever = -1;   // not yet

void drop_repeated(std::vector<int>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace

bool Host::can_partition() {
  const int tensors = static_cast<int>(network_.tensors.size());
  std::vector<bool> filled(tensors);
  for (const Node& node : network_.nodes) {
    for (const std::vector<int>* ends : {&node.inputs, &node.outputs}) {
      for (const int tensor : *ends) {
        if (tensor < -1 || tensor >= tensors) return refuse("a node has a tensor that does not exist");
      }
    }
  }
  for (const std::vector<int>* ends : {&network_.inputs, &network_.outputs}) {
    for (const int tensor : *ends) {
      if (tensor < 0 || tensor >= tensors) return refuse("an input or output does not exist");
    }
  }
  int64_t bytes = 0;
  for (const Tensor& tensor : network_.tensors) {
    const bool is_constant = tensor.allocation_type == kTfLiteMmapRo;
    bytes += is_constant ? static_cast<int64_t>(tensor.bytes)
                         : std::max(shape_bytes(tensor.shape, tensor.type), int64_t(tensor.bytes));
    if (bytes > most_bytes_) return refuse("the tensors take too much memory");
  }
  return true;
}

std::vector<Host::Subset> Host::partition(const std::vector<bool>& chosen) const {
  std::vector<int> filled_by(network_.tensors.size(), kAlways);
  for (const Node& node : network_.nodes) {
    for (const int output : node.outputs) {
      if (output >= 0) filled_by[output] = kNever;
    }
  }
  std::vector<bool> done(network_.nodes.size());
  std::vector<Subset> subsets;
  const auto take = [&](size_t number) {
    const Node& node = network_.nodes[number];
    if (done[number]) return false;
    for (const int input : node.inputs) {
      if (input >= 0 && filled_by[input] == kNever) return false;
    }
    Subset& subset = subsets.back();
    if (subset.nodes.empty()) subset.delegated = chosen[number];
    if (subset.delegated != chosen[number]) return false;
    const int current = static_cast<int>(subsets.size()) - 1;
    subset.nodes.push_back(static_cast<int>(number));
    for (const int output : node.outputs) {
      if (output >= 0) filled_by[output] = current;
    }
    for (const int input : node.inputs) {
      if (input < 0 || filled_by[input] == current) continue;
      subset.inputs.push_back(input);
      if (filled_by[input] >= 0) subsets[filled_by[input]].outputs.push_back(input);
    }
    done[number] = true;
    return true;
  };
  for (;;) {
    subsets.emplace_back();
    for (bool any = true; any;) {
      any = false;
      for (size_t number = 0; number < done.size(); ++number) any = take(number) || any;
    }
    if (subsets.back().nodes.empty()) break;
  }
  subsets.pop_back();
  for (const int output : network_.outputs) {
    if (filled_by[output] >= 0) subsets[filled_by[output]].outputs.push_back(output);
  }
  for (Subset& subset : subsets) {
    drop_repeated(subset.inputs);
    drop_repeated(subset.outputs);
  }
  return subsets;
}

}  // namespace host
