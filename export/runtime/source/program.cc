#include "program.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace recu {
namespace {

constexpr size_t kAlignment = 64;

template <class Pointer>
Pointer* aligned(Pointer* pointer) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(pointer);
  return reinterpret_cast<Pointer*>((at + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

Program::Program(const TfLiteContext& context, std::vector<Operator> operators,
                 const TfLiteIntArray& inputs, const TfLiteIntArray& outputs,
                 const Backend& backend, bool measures)
    : backend_(backend), measures_(measures) {
  outside_.insert(inputs.data, inputs.data + inputs.size);
  outside_.insert(outputs.data, outputs.data + outputs.size);
  outputs_.insert(outputs.data, outputs.data + outputs.size);
  const auto describe = [&](int number) {
    const TfLiteTensor& tensor = context.tensors[number];
    described_[number] = {tensor.type,
                          {tensor.dims->data, tensor.dims->data + tensor.dims->size}};
  };
  for (const Operator& read : operators) {
    for (const int tensor : read.inputs) describe(tensor);
    describe(read.output);
  }
  make_steps(context, operators);
  place_tensors(context);
}

// Tensors between steps share memory: a slot is used again once nobody reads what was in it.
void Program::place_tensors(const TfLiteContext& context) {
  std::map<int, int> last_use;
  for (size_t at = 0; at < steps_.size(); ++at) {
    for (const int tensor : steps_[at].inputs) last_use[tensor] = static_cast<int>(at);
    if (steps_[at].residual >= 0) last_use[steps_[at].residual] = static_cast<int>(at);
  }
  std::vector<Slot> slots;
  size_t scratch = 0;
  for (size_t at = 0; at < steps_.size(); ++at) {
    const Step& step = steps_[at];
    if (step.convolution) scratch = std::max(scratch, step.convolution->scratch_bytes());
    for (const int tensor : {step.values, step.bits}) {
      if (tensor < 0 || outside_.count(tensor) != 0) continue;
      const TfLiteTensor& described = context.tensors[tensor];
      const size_t bytes = static_cast<size_t>(element_count(described)) * element_size(described);
      const auto residual = slot_of_.find(step.residual);
      // A sum may take the place of what is added, which stays in the cache, unless the step reads that
      // otherwise as well: windows of a pool would meet sums.
      const bool in_place = tensor == step.values && residual != slot_of_.end() &&
                            std::count(step.inputs.begin(), step.inputs.end(), step.residual) == 0 &&
                            last_use[step.residual] == static_cast<int>(at) &&
                            slots[residual->second].bytes >= bytes;
      size_t best = slots.size();
      for (size_t slot = 0; slot < slots.size() && !in_place; ++slot) {
        const bool free = slots[slot].last_use < static_cast<int>(at);
        if (free && slots[slot].bytes >= bytes &&
            (best == slots.size() || slots[slot].bytes < slots[best].bytes)) {
          best = slot;
        }
      }
      if (in_place) best = residual->second;
      if (best == slots.size()) slots.push_back({bytes, -1});
      slots[best].last_use = std::max(static_cast<int>(at), last_use[tensor]);
      slot_of_[tensor] = best;
    }
  }
  for (const Slot& slot : slots) slots_.emplace_back(slot.bytes + kAlignment + Convolution::kSlack);
  scratch_.resize(scratch + kAlignment);
}

std::string Program::fault(const TfLiteContext& context) const {
  for (const auto& [tensor, described] : described_) {
    const TfLiteTensor& now = context.tensors[tensor];
    const std::vector<int>& shape = described.shape;
    // Nodes that the interpreter prepares give their outputs types, whatever the file says.
    if (now.type != described.type) return "a tensor has another type than in the file";
    // Before every run, so nothing is allocated here.
    if (now.dims == nullptr || !std::equal(shape.begin(), shape.end(), now.dims->data,
                                           now.dims->data + now.dims->size)) {
      return "a tensor has another shape than in the file: resize inputs in the conversion";
    }
    if (outside_.count(tensor) == 0) continue;
    if (now.data == nullptr || !is_whole(now)) return "a tensor is shorter than its shape says";
    if (!is_aligned(now)) return "a tensor's values do not lie at multiples of their size";
  }
  return "";
}

char* Program::address(const TfLiteContext& context, int tensor) {
  if (tensor < 0) return nullptr;
  const auto slot = slot_of_.find(tensor);
  if (slot != slot_of_.end()) return aligned(slots_[slot->second].data());
  return static_cast<char*>(context.tensors[tensor].data);
}

Memory Program::memory_of(const TfLiteContext& context, const Step& step) {
  Memory memory;
  for (const int tensor : step.inputs) memory.inputs.push_back(address(context, tensor));
  memory.residual = reinterpret_cast<const float*>(address(context, step.residual));
  memory.values = address(context, step.values);
  memory.bits = reinterpret_cast<uint32_t*>(address(context, step.bits));
  memory.scratch = aligned(scratch_.data());
  return memory;
}

void Program::run(const TfLiteContext& context, Threads& threads) {
  ++runs_;
  for (size_t at = 0; at < steps_.size(); ++at) {
    const auto start = std::chrono::steady_clock::now();
    run_step(steps_[at], memory_of(context, steps_[at]), backend_, threads);
    if (measures_) {
      const std::chrono::duration<double, std::nano> passed =
          std::chrono::steady_clock::now() - start;
      steps_[at].nanoseconds += passed.count();
      steps_[at].last_nanoseconds = passed.count();
    }
  }
}

std::string Program::profile() const {
  std::string lines;
  for (const Step& step : steps_) {
    const Convolution* convolution = step.convolution.get();
    const double macs = convolution ? step.first.images * convolution->macs_of_image() : 0;
    char numbers[128];
    std::snprintf(numbers, sizeof numbers, "\t%.3f\t%.3f\t%.0f\t%.0f\t%d\n",
                  runs_ == 0 ? 0 : step.nanoseconds / runs_ / 1e3, step.last_nanoseconds / 1e3,
                  macs, step.bytes, convolution ? convolution->options().channels : 0);
    lines += step.name + numbers;
  }
  return lines;
}

}  // namespace recu
