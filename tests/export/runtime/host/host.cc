#include "host.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace host {
namespace {

// A TfLiteIntArray: its size, then its numbers.
std::unique_ptr<int[]> make_array(const std::vector<int>& values) {
  std::unique_ptr<int[]> array(new int[values.size() + 1]);
  array[0] = static_cast<int>(values.size());
  std::copy(values.begin(), values.end(), array.get() + 1);
  return array;
}

TfLiteIntArray* as_array(const std::unique_ptr<int[]>& array) {
  return reinterpret_cast<TfLiteIntArray*>(array.get());
}

Host& host_of(TfLiteContext* context) { return *static_cast<Host*>(context->impl_); }

}  // namespace

struct Host::Kernel {
  TfLiteRegistration registration;
  TfLiteNode node{};
  TfLiteDelegateParams parameters{};
  std::unique_ptr<int[]> replaced, inputs, outputs;
};

Host::Host(const Network& network, std::function<void(int, uint8_t*, size_t)> fill,
           int64_t most_bytes)
    : network_(network),
      fill_(std::move(fill)),
      most_bytes_(most_bytes),
      tensors_(new TfLiteTensor[network.tensors.size()]()),
      shapes_(network.tensors.size()),
      data_(network.tensors.size()) {
  context_.impl_ = this;
  context_.tensors = tensors_.get();
  context_.tensors_size = network.tensors.size();
  context_.GetExecutionPlan = get_plan;
  context_.GetNodeAndRegistration = get_node;
  context_.ReplaceNodeSubsetsWithDelegateKernels = replace;
  context_.ReportError = report;
  for (size_t i = 0; i < network.tensors.size(); ++i) {
    const Tensor& tensor = network.tensors[i];
    describe(static_cast<int>(i), tensor);
    // Constants lie in the file; all others get their memory when the delegate has been applied.
    if (tensor.allocation_type != kTfLiteMmapRo || !tensor.has_data) continue;
    if (static_cast<int64_t>(tensor.bytes) > most_bytes) continue;
    data_[i].reset(new uint8_t[tensor.bytes + tensor.shift]);
    uint8_t* data = data_[i].get() + tensor.shift;
    const std::vector<uint8_t>& values = tensor.constant;
    for (size_t byte = 0; byte < tensor.bytes; ++byte) {
      data[byte] = values.empty() ? 0 : values[byte % values.size()];
    }
    tensors_[i].data = data;
  }
  std::vector<int> numbers;
  for (const Node& node : network.nodes) {
    numbers.push_back(static_cast<int>(numbers.size()));
    add_node(node);
  }
  plan_ = make_array(numbers);
}

Host::~Host() {
  for (const auto& kernel : kernels_) {
    if (kernel) kernel->registration.free(&context_, kernel->node.user_data);
  }
}

void Host::describe(int index, const Tensor& tensor) {
  TfLiteTensor& made = tensors_[index];
  made.type = static_cast<TfLiteType>(tensor.type);
  shapes_[index] = tensor.has_shape ? make_array(tensor.shape) : nullptr;
  made.dims = as_array(shapes_[index]);
  made.params = {tensor.scale, tensor.zero_point};
  made.allocation_type = tensor.allocation_type;
  made.bytes = tensor.bytes;
}

void Host::add_node(const Node& node) {
  auto made = std::make_unique<TfLiteNode>();
  for (const auto& [numbers, field] :
       {std::pair(&node.inputs, &made->inputs), std::pair(&node.outputs, &made->outputs)}) {
    arrays_.push_back(make_array(*numbers));
    *field = as_array(arrays_.back());
  }
  const auto keep = [&](const std::vector<uint8_t>& bytes) {
    parameters_.emplace_back(new uint8_t[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), parameters_.back().get());
    return parameters_.back().get();
  };
  if (node.has_builtin) made->builtin_data = keep(node.builtin);
  if (node.has_custom) {
    made->custom_initial_data = keep(node.custom);
    made->custom_initial_data_size = static_cast<int>(node.custom.size());
  }
  auto registration = std::make_unique<TfLiteRegistration>();
  registration->builtin_code = node.code;
  registration->custom_name = node.code == kBuiltinCustom ? node.name.c_str() : nullptr;
  registration->version = 1;
  nodes_.push_back(std::move(made));
  registrations_.push_back(std::move(registration));
}

TfLiteStatus Host::get_plan(TfLiteContext* context, TfLiteIntArray** plan) {
  *plan = as_array(host_of(context).plan_);
  return kTfLiteOk;
}

TfLiteStatus Host::get_node(TfLiteContext* context, int number, TfLiteNode** node,
                            TfLiteRegistration** registration) {
  Host& host = host_of(context);
  if (number < 0 || static_cast<size_t>(number) >= host.nodes_.size()) return kTfLiteError;
  *node = host.nodes_[number].get();
  *registration = host.registrations_[number].get();
  return kTfLiteOk;
}

void Host::report(TfLiteContext* context, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  host_of(context).message_ = text;
}

bool Host::refuse(const std::string& why) {
  message_ = "host: " + why;
  return false;
}

TfLiteStatus Host::replace(TfLiteContext* context, TfLiteRegistration registration,
                           const TfLiteIntArray* nodes, TfLiteDelegate* delegate) {
  Host& host = host_of(context);
  if (!host.can_partition()) return kTfLiteError;
  std::vector<bool> chosen(host.nodes_.size());
  for (int i = 0; i < nodes->size; ++i) chosen.at(nodes->data[i]) = true;
  host.subsets_ = host.partition(chosen);
  for (const Subset& subset : host.subsets_) {
    host.kernels_.emplace_back();
    if (!subset.delegated) continue;
    auto kernel = std::make_unique<Kernel>();
    kernel->registration = registration;
    kernel->replaced = make_array(subset.nodes);
    kernel->inputs = make_array(subset.inputs);
    kernel->outputs = make_array(subset.outputs);
    kernel->parameters = {delegate, as_array(kernel->replaced), as_array(kernel->inputs),
                          as_array(kernel->outputs)};
    kernel->node.inputs = as_array(kernel->inputs);
    kernel->node.outputs = as_array(kernel->outputs);
    kernel->node.delegate = delegate;
    kernel->node.user_data = registration.init(
        context, reinterpret_cast<const char*>(&kernel->parameters), sizeof kernel->parameters);
    host.kernels_.back() = std::move(kernel);
  }
  return kTfLiteOk;
}

bool Host::apply(TfLiteDelegate* delegate) {
  if (delegate->Prepare(&context_, delegate) != kTfLiteOk) return false;
  if (subsets_.empty()) return refuse("the delegate takes no node");
  return true;
}

int Host::nodes_left() const {
  size_t taken = 0;
  for (const Subset& subset : subsets_) taken += subset.delegated ? subset.nodes.size() : 0;
  return static_cast<int>(nodes_.size() - taken);
}

void Host::place(int index, size_t bytes) {
  data_[index].reset(new uint8_t[bytes]);
  tensors_[index].data = data_[index].get();
  tensors_[index].bytes = bytes;
}

bool Host::allocate() {
  for (const auto& kernel : kernels_) {
    if (kernel && kernel->registration.prepare(&context_, &kernel->node) != kTfLiteOk) return false;
  }
  std::vector<bool> used(network_.tensors.size());
  for (const int input : network_.inputs) used[input] = true;
  // Tensors that only nodes of the delegate use get no memory.
  for (const Subset& subset : subsets_) {
    for (const std::vector<int>* ends : {&subset.inputs, &subset.outputs}) {
      for (const int tensor : *ends) used[tensor] = true;
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i] || tensors_[i].allocation_type == kTfLiteMmapRo) continue;
    place(static_cast<int>(i), network_.tensors[i].bytes);
    std::memset(tensors_[i].data, 0, tensors_[i].bytes);
  }
  return true;
}

void Host::change(int index, const Tensor& now) {
  describe(index, now);
  if (!now.has_data) {
    tensors_[index].data = nullptr;
  } else if (tensors_[index].data != nullptr) {
    place(index, now.bytes);
    fill_(index, data_[index].get(), now.bytes);
  }
}

bool Host::invoke() {
  const auto fill = [&](int index) {
    TfLiteTensor& tensor = tensors_[index];
    if (tensor.allocation_type == kTfLiteMmapRo || tensor.data == nullptr) return;
    fill_(index, static_cast<uint8_t*>(tensor.data), tensor.bytes);
  };
  for (const int input : network_.inputs) fill(input);
  for (size_t at = 0; at < subsets_.size(); ++at) {
    if (!kernels_[at]) {
      for (const int output : subsets_[at].outputs) fill(output);
      continue;
    }
    Kernel& kernel = *kernels_[at];
    if (kernel.registration.invoke(&context_, &kernel.node) != kTfLiteOk) return false;
  }
  return true;
}

}  // namespace host
