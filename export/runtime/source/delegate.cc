// The library's doors: an external delegate for TensorFlow Lite and LiteRT.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "operators.h"
#include "program.h"
#include "recu_delegate.h"
#include "tflite.h"

namespace recu {
namespace {

struct Delegate {
  TfLiteDelegate interface{};  // first: the interpreter knows its address
  const Backend* backend = nullptr;
  std::unique_ptr<Threads> threads;
  bool measures = false;
  std::vector<Program*> programs;  // those that live
  std::string profile;
  bool is_prepared = false;  // for a first graph
  std::string nodes;         // of that graph, that it runs
};

Delegate& delegate_of(TfLiteDelegate* interface) {
  return *static_cast<Delegate*>(interface->data_);
}

// One run of nodes that the interpreter replaced.
struct Node {
  Delegate* delegate;
  std::unique_ptr<Program> program;
};

bool read_node(TfLiteContext* context, int number, TfLiteNode** node,
               TfLiteRegistration** registration) {
  return context->GetNodeAndRegistration(context, number, node, registration) == kTfLiteOk &&
         *node != nullptr && *registration != nullptr;
}

std::unique_ptr<Node> make_node(TfLiteContext* context, const TfLiteDelegateParams* parameters) {
  Delegate& delegate = delegate_of(parameters->delegate);
  std::vector<Operator> operators;
  for (int i = 0; i < parameters->nodes_to_replace->size; ++i) {
    const int number = parameters->nodes_to_replace->data[i];
    TfLiteNode* node;
    TfLiteRegistration* registration;
    std::string reason;
    if (!read_node(context, number, &node, &registration)) return nullptr;
    auto read = read_operator(*context, *node, *registration, reason);
    if (!read) {  // though it was read before
      context->ReportError(context, "recu: node %d can no longer be run: %s", number, reason.c_str());
      return nullptr;
    }
    operators.push_back(std::move(*read));
  }
  auto made = std::make_unique<Node>();
  made->delegate = &delegate;
  made->program = std::make_unique<Program>(
      *context, std::move(operators), *parameters->input_tensors, *parameters->output_tensors,
      *delegate.backend, delegate.measures);
  delegate.programs.push_back(made->program.get());
  return made;
}

void* init(TfLiteContext* context, const char* buffer, size_t) {
  try {
    return make_node(context, reinterpret_cast<const TfLiteDelegateParams*>(buffer)).release();
  } catch (const std::exception& error) {  // exceptions must not reach the interpreter
    context->ReportError(context, "recu: %s", error.what());
    return nullptr;
  }
}

void release(TfLiteContext*, void* buffer) {
  std::unique_ptr<Node> node(static_cast<Node*>(buffer));
  if (!node) return;
  auto& programs = node->delegate->programs;
  for (auto at = programs.begin(); at != programs.end(); ++at) {
    if (*at == node->program.get()) {
      programs.erase(at);
      break;
    }
  }
}

TfLiteStatus prepare_node(TfLiteContext* context, TfLiteNode* node) {
  if (node->user_data != nullptr) return kTfLiteOk;
  context->ReportError(context, "recu: the operators cannot be prepared");
  return kTfLiteError;
}

TfLiteStatus invoke(TfLiteContext* context, TfLiteNode* node) {
  Node& made = *static_cast<Node*>(node->user_data);
  const std::string fault = made.program->fault(*context);
  if (!fault.empty()) {
    context->ReportError(context, "recu: %s", fault.c_str());
    return kTfLiteError;
  }
  made.program->run(*context, *made.delegate->threads);
  return kTfLiteOk;
}

// How many nodes give each tensor its values.
std::vector<int> count_writers(TfLiteContext* context, const TfLiteIntArray& plan) {
  std::vector<int> writers(context->tensors_size);
  for (int i = 0; i < plan.size; ++i) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    if (!read_node(context, plan.data[i], &node, &registration)) continue;
    for (int j = 0; node->outputs != nullptr && j < node->outputs->size; ++j) {
      const int output = node->outputs->data[j];
      if (output >= 0 && static_cast<size_t>(output) < writers.size()) ++writers[output];
    }
  }
  return writers;
}

TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* interface) {
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  Delegate& delegate = delegate_of(interface);
  const bool is_first = !delegate.is_prepared;
  delegate.is_prepared = true;
  // A TfLiteIntArray: its size, then the numbers of the nodes.
  std::vector<int> chosen{0};
  bool any_of_engine = false;
  const std::vector<int> writers = count_writers(context, *plan);
  for (int i = 0; i < plan->size; ++i) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    if (!read_node(context, plan->data[i], &node, &registration)) return kTfLiteError;
    std::string reason;
    bool taken = read_operator(*context, *node, *registration, reason).has_value();
    // It would not be known whose values a reader gets.
    if (taken && writers[node->outputs->data[0]] > 1) {
      reason = "its output is that of another node as well";
      taken = false;
    }
    if (taken) {
      chosen.push_back(plan->data[i]);
      any_of_engine = any_of_engine || is_engine_operator(*registration);
    } else if (is_engine_operator(*registration)) {
      context->ReportError(context, "recu: node %d, %s, cannot be run: %s\n", plan->data[i],
                           registration->custom_name, reason.c_str());
      return kTfLiteError;
    }
  }
  // The float operators of a network without binary ones are the interpreter's.
  if (!any_of_engine) return kTfLiteOk;
  chosen[0] = static_cast<int>(chosen.size()) - 1;
  if (is_first) {
    for (size_t i = 1; i < chosen.size(); ++i) delegate.nodes += std::to_string(chosen[i]) + "\n";
  }
  TfLiteRegistration registration{};
  registration.init = init;
  registration.free = release;
  registration.prepare = prepare_node;
  registration.invoke = invoke;
  registration.builtin_code = kBuiltinDelegate;
  registration.custom_name = "RecuDelegate";
  registration.version = 1;
  return context->ReplaceNodeSubsetsWithDelegateKernels(
      context, registration, reinterpret_cast<const TfLiteIntArray*>(chosen.data()), interface);
}

// Sets an option; returns what is wrong with it, or nothing.
std::string set_option(Delegate& delegate, const char* name, const char* value, int& threads) {
  if (std::strcmp(name, "num_threads") == 0) {
    char* end;
    const long count = std::strtol(value, &end, 10);
    if (*value == 0 || *end != 0 || count < 1 || count > 256) {
      return "`num_threads` must be a whole number from 1 to 256";
    }
    threads = static_cast<int>(count);
    return "";
  }
  if (std::strcmp(name, "profile") == 0) {
    if (std::strcmp(value, "0") != 0 && std::strcmp(value, "1") != 0) {
      return "`profile` must be 0 or 1";
    }
    delegate.measures = value[0] == '1';
    return "";
  }
  if (std::strcmp(name, "backend") == 0) {
    const Backend* found[kMostBackends];
    const int count = find_backends(found);
    for (int i = 0; i < count; ++i) {
      if (std::strcmp(found[i]->name, value) == 0) {
        delegate.backend = found[i];
        return "";
      }
    }
    std::string names;
    for (int i = 0; i < count; ++i) names += (i == 0 ? "" : ", ") + std::string(found[i]->name);
    return "`backend` must be one that this processor has: " + names;
  }
  return "the options are `num_threads`, `backend` and `profile`";
}

}  // namespace
}  // namespace recu

TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                              void (*report_error)(const char*)) {
  auto delegate = std::make_unique<recu::Delegate>();
  const recu::Backend* found[recu::kMostBackends];
  recu::find_backends(found);
  delegate->backend = found[0];
  int threads = 1;
  for (size_t i = 0; i < count; ++i) {
    const std::string wrong = recu::set_option(*delegate, keys[i], values[i], threads);
    if (wrong.empty()) continue;
    if (report_error != nullptr) {
      report_error(("recu: " + wrong + ", got " + keys[i] + "=" + values[i]).c_str());
    }
    return nullptr;
  }
  delegate->threads = std::make_unique<recu::Threads>(threads);
  delegate->interface.data_ = delegate.get();
  delegate->interface.Prepare = recu::prepare;
  delegate->interface.flags = kTfLiteDelegateFlagsAllowDynamicTensors;
  return &delegate.release()->interface;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* interface) {
  if (interface != nullptr) delete &recu::delegate_of(interface);
}

const char* recu_backends() {
  static const std::string names = [] {
    const recu::Backend* found[recu::kMostBackends];
    const int count = recu::find_backends(found);
    std::string lines;
    for (int i = 0; i < count; ++i) lines += std::string(found[i]->name) + "\n";
    return lines;
  }();
  return names.c_str();
}

const char* recu_backend(TfLiteDelegate* interface) {
  return recu::delegate_of(interface).backend->name;
}

const char* recu_profile(TfLiteDelegate* interface) {
  recu::Delegate& delegate = recu::delegate_of(interface);
  delegate.profile.clear();
  if (!delegate.measures) return "";
  for (const recu::Program* program : delegate.programs) delegate.profile += program->profile();
  return delegate.profile.c_str();
}

const char* recu_nodes(TfLiteDelegate* interface) {
  return recu::delegate_of(interface).nodes.c_str();
}
