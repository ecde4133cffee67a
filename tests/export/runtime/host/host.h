// Plays the interpreter for the delegate, without TensorFlow Lite: the nodes that the delegate takes
// run, all others only leave values in their outputs. Each tensor, shape and option lies in memory of
// its own that is not a byte longer than it has to be, where a sanitizer sees what is read beyond it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "network.h"
#include "tflite.h"

namespace host {

class Host {
 public:
  // What tensors may take in all: more is refused once the delegate has read the nodes.
  static constexpr int64_t kMostBytes = int64_t{1} << 30;

  // `fill` gives values to a tensor that somebody else computes: an input, or the output of a node that
  // the delegate leaves alone.
  Host(const Network& network, std::function<void(int, uint8_t*, size_t)> fill,
       int64_t most_bytes = kMostBytes);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // The following return whether it went well; if not, `message()` says why not.
  bool apply(TfLiteDelegate* delegate);  // which prepares itself, and the nodes that it takes
  bool allocate();
  bool invoke();
  const std::string& message() const { return message_; }

  // Nodes that the delegate does not run.
  int nodes_left() const;

  // Changes a tensor between runs as `now` says: shape, type, bytes, whether it has data.
  void change(int index, const Tensor& now);
  const TfLiteTensor& tensor(int index) const { return tensors_[index]; }

 private:
  struct Subset {
    bool delegated;
    std::vector<int> nodes, inputs, outputs;
  };
  struct Kernel;  // what stands for the nodes of a subset

  static TfLiteStatus get_plan(TfLiteContext*, TfLiteIntArray** plan);
  static TfLiteStatus get_node(TfLiteContext*, int number, TfLiteNode**, TfLiteRegistration**);
  static TfLiteStatus replace(TfLiteContext*, TfLiteRegistration, const TfLiteIntArray* nodes,
                              TfLiteDelegate*);
  static void report(TfLiteContext*, const char* format, ...);

  bool refuse(const std::string& why);
  void describe(int index, const Tensor& tensor);
  void place(int index, size_t bytes);
  void add_node(const Node& node);
  // In partition.cc.
  bool can_partition();
  std::vector<Subset> partition(const std::vector<bool>& chosen) const;

  const Network& network_;
  std::function<void(int, uint8_t*, size_t)> fill_;
  int64_t most_bytes_;
  std::string message_;
  TfLiteContext context_{};
  std::unique_ptr<TfLiteTensor[]> tensors_;
  std::vector<std::unique_ptr<int[]>> shapes_;
  std::vector<std::unique_ptr<uint8_t[]>> data_;
  std::vector<std::unique_ptr<TfLiteNode>> nodes_;
  std::vector<std::unique_ptr<TfLiteRegistration>> registrations_;
  std::vector<std::unique_ptr<int[]>> arrays_;           // of nodes
  std::vector<std::unique_ptr<uint8_t[]>> parameters_;   // of nodes
  std::unique_ptr<int[]> plan_;
  std::vector<Subset> subsets_;
  std::vector<std::unique_ptr<Kernel>> kernels_;  // of each subset; null where nothing was delegated
};

}  // namespace host
