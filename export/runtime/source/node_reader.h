// What the readers of the engine's and of builtin operators share: the tensors of a node, checked.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "operators.h"

namespace recu {

// Larger images and kernels are not networks but damage.
constexpr int kLargestSize = 1 << 20;

class NodeReader {
 public:
  NodeReader(const TfLiteContext& context, const TfLiteNode& node,
             const TfLiteRegistration& registration);
  virtual ~NodeReader() = default;

  // What the node says; nothing where the delegate does not run it, and `reason()` says why not.
  std::optional<Operator> read();
  const std::string& reason() const { return reason_; }

 protected:
  virtual bool read_kind() = 0;

  bool refuse(const std::string& reason) {
    reason_ = reason;
    return false;
  }

  static bool has_sizes(const TfLiteTensor& tensor);
  static bool same_shape(const TfLiteTensor& a, const TfLiteTensor& b, int axes);
  static bool same_shape(const TfLiteTensor& a, const TfLiteTensor& b) {
    return rank_of(a) == rank_of(b) && same_shape(a, b, rank_of(a));
  }
  // The sizes along an axis, if the output has the size that follows from the others.
  static bool read_axis(Axis& axis, int input, int output, int size, int stride, int dilation,
                        bool same);
  static int size_of(const TfLiteTensor& tensor, int axis) { return tensor.dims->data[axis]; }
  static int rank_of(const TfLiteTensor& tensor) { return tensor.dims->size; }
  static int last_of(const TfLiteTensor& tensor) { return size_of(tensor, rank_of(tensor) - 1); }

  // Whether a tensor is a constant of the file with so many values; 0 for any number.
  bool is_constant(int tensor_index, TfLiteType type, int values) const;

  const TfLiteTensor& tensor(int index) const { return context_.tensors[index]; }
  const TfLiteTensor& input(int i) const { return tensor(node_.inputs->data[i]); }
  const TfLiteTensor& output() const { return tensor(node_.outputs->data[0]); }

  const TfLiteContext& context_;
  const TfLiteNode& node_;
  const TfLiteRegistration& registration_;
  std::string reason_;
  Operator operator_{};

 private:
  bool has_tensors();
};

// The two kinds of nodes.
std::optional<Operator> read_engine_operator(const TfLiteContext& context, const TfLiteNode& node,
                                             const TfLiteRegistration& registration,
                                             std::string& reason);
std::optional<Operator> read_builtin_operator(const TfLiteContext& context, const TfLiteNode& node,
                                              const TfLiteRegistration& registration);

}  // namespace recu
