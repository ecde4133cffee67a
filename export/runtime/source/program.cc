#include "program.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace recu {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSlack = 128;

template <class Pointer>
Pointer* aligned(Pointer* pointer) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(pointer);
  return reinterpret_cast<Pointer*>((at + kAlignment - 1) / kAlignment * kAlignment);
}

const float* floats(const TfLiteContext& context, int tensor) {
  return static_cast<const float*>(context.tensors[tensor].data);
}

double bytes_of(const TfLiteContext& context, int tensor) {
  return tensor < 0 ? 0 : static_cast<double>(context.tensors[tensor].bytes);
}

// The place of an operator in the order in which a step does things; 0 where it does not end one.
int stage_of(Kind kind) {
  switch (kind) {
    case Kind::kMultiply:
      return 1;
    case Kind::kAddConstant:
      return 2;
    case Kind::kAdd:
      return 3;
    case Kind::kPrelu:
      return 4;
    case Kind::kClamp:
      return 5;
    default:
      return 0;
  }
}

bool clamps(const Clamp& clamp) {
  return clamp.lowest > -std::numeric_limits<float>::infinity() ||
         clamp.highest < std::numeric_limits<float>::infinity();
}

int stage_of(const Step& step) {
  if (clamps(step.clamp)) return 5;
  if (!step.slopes.empty()) return 4;
  if (step.residual >= 0) return 3;
  if (!step.bias.empty()) return step.first.kind == Kind::kMultiply ? 1 : 2;
  return 0;
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kConvolution: return "binary convolution";
    case Kind::kQuantize: return "quantize";
    case Kind::kDequantize: return "dequantize";
    case Kind::kBinaryMaxPool: return "binary max-pool";
    case Kind::kAveragePool: return "average pool";
    case Kind::kMaxPool: return "max-pool";
    case Kind::kMultiply: return "multiply";
    case Kind::kAddConstant: return "add per channel";
    case Kind::kAdd: return "add";
    case Kind::kClamp: return "clamp";
    case Kind::kPrelu: return "PReLU";
    case Kind::kPadChannels: return "pad channels";
    case Kind::kConcatenate: return "concatenate";
  }
  return "";
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

Step Program::begin(const TfLiteContext& context, const Operator& first) const {
  Step step;
  step.first = first;
  step.inputs = first.inputs;
  step.clamp = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  step.values = first.output;
  step.name = name_of(first.kind);
  switch (first.kind) {
    case Kind::kConvolution: {
      const ConvolutionOptions& options = first.convolution;
      const auto data = [&](int tensor) {
        return tensor < 0 ? nullptr : context.tensors[tensor].data;
      };
      step.convolution = std::make_unique<Convolution>(
          options, backend_, static_cast<const uint32_t*>(data(first.weights)),
          static_cast<const float*>(data(first.multiplier)),
          static_cast<const float*>(data(first.bias)),
          static_cast<const int32_t*>(data(first.thresholds)));
      char sizes[96];
      std::snprintf(sizes, sizeof sizes, " %dx%d/%d of %dx%dx%d to %d", options.rows.size,
                    options.columns.size, options.rows.stride, options.rows.input,
                    options.columns.input, options.channels, options.filters);
      step.name += sizes;
      if (options.output == Output::kBits) std::swap(step.values, step.bits);
      break;
    }
    case Kind::kQuantize:
      std::swap(step.values, step.bits);
      break;
    case Kind::kMultiply:
    case Kind::kAddConstant:
    case Kind::kAdd:
    case Kind::kPrelu:
    case Kind::kClamp:
      absorb(context, step, first);
      step.name = name_of(first.kind);
      break;
    case Kind::kAveragePool:
    case Kind::kMaxPool:
      step.clamp = first.clamp;
      break;
    default:
      break;
  }
  return step;
}

bool Program::absorb(const TfLiteContext& context, Step& step, const Operator& next) const {
  const bool is_first = next.output == step.first.output;
  const int stage = stage_of(next.kind);
  if (stage == 0 || (!is_first && stage <= stage_of(step))) return false;
  if (!is_first) {
    const Kind kind = step.first.kind;
    // What a convolution ends with has its own multiplier, or is fused into it.
    if (kind == Kind::kConvolution &&
        (stage < 3 || step.convolution->options().output != Output::kFloat ||
         step.convolution->options().activation != kTfLiteActNone)) {
      return false;
    }
    const bool pools = kind == Kind::kAveragePool || kind == Kind::kMaxPool;
    if (kind != Kind::kConvolution && !pools && stage_of(kind) == 0) return false;
  }
  if (next.kind == Kind::kMultiply || next.kind == Kind::kAddConstant) {
    const float* constants = floats(context, next.constant);
    if (step.bias.empty()) {
      // Adding -0 leaves every number as it is, 0 of either sign included.
      step.multiplier.assign(next.channels, 1.0f);
      step.bias.assign(next.channels, -0.0f);
    }
    std::vector<float>& those = next.kind == Kind::kMultiply ? step.multiplier : step.bias;
    those.assign(constants, constants + next.channels);
  } else if (next.kind == Kind::kAdd) {
    const bool swapped = !is_first && step.values == next.inputs[1];
    step.residual = swapped ? next.inputs[0] : next.inputs[1];
    if (is_first) step.inputs = {next.inputs[0]};
  }
  if (next.kind == Kind::kPrelu) {
    const float* slopes = floats(context, next.constant);
    step.slopes.assign(slopes, slopes + next.channels);
  }
  if (clamps(next.clamp)) step.clamp = next.clamp;
  step.values = next.output;
  if (!is_first) step.name += std::string(" + ") + name_of(next.kind);
  return true;
}

void Program::make_steps(const TfLiteContext& context, const std::vector<Operator>& operators) {
  std::map<int, std::vector<size_t>> readers;
  for (size_t at = 0; at < operators.size(); ++at) {
    for (const int tensor : operators[at].inputs) readers[tensor].push_back(at);
  }
  std::vector<bool> done(operators.size());
  std::vector<std::pair<size_t, Step>> placed;
  const auto packs = [&](size_t at) {
    return operators[at].kind == Kind::kQuantize &&
           context.tensors[operators[at].inputs[0]].type == kTfLiteFloat32;
  };
  for (size_t at = 0; at < operators.size(); ++at) {
    if (done[at]) continue;
    done[at] = true;
    Step step = begin(context, operators[at]);
    // A step runs where its last operator would, when all that it reads is there.
    size_t place = at;
    while (step.values >= 0 && outputs_.count(step.values) == 0) {
      const std::vector<size_t>& next = readers[step.values];
      if (next.size() != 1 || done[next[0]] || !absorb(context, step, operators[next[0]])) break;
      place = next[0];
      done[place] = true;
    }
    const bool gives_floats = step.values >= 0 && step.bits < 0 &&
                              (step.convolution != nullptr || stage_of(step.first.kind) != 0 ||
                               step.first.kind == Kind::kAveragePool ||
                               step.first.kind == Kind::kMaxPool) &&
                              context.tensors[step.values].type == kTfLiteFloat32;
    if (gives_floats) {
      bool needed = outputs_.count(step.values) != 0;
      for (const size_t reader : readers[step.values]) {
        if (packs(reader) && step.bits < 0 && !done[reader]) {
          step.bits = operators[reader].output;
          step.name += " + quantize";
          done[reader] = true;
        } else {
          needed = true;
        }
      }
      if (!needed) step.values = -1;
    }
    placed.emplace_back(place, std::move(step));
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [place, step] : placed) {
    Types types;
    const TfLiteTensor& input = context.tensors[step.inputs[0]];
    types.int8_input = input.type == kTfLiteInt8;
    const TfLiteTensor& output = context.tensors[step.first.output];
    types.int8_output = output.type == kTfLiteInt8;
    const TfLiteTensor& int8 = types.int8_input ? input : output;
    types.zero_point = int8.params.zero_point;
    types.scale = int8.params.scale;
    types_.push_back(types);
    for (const int tensor : step.inputs) step.bytes += bytes_of(context, tensor);
    for (const int tensor : {step.residual, step.values, step.bits, step.first.weights}) {
      step.bytes += bytes_of(context, tensor);
    }
    steps_.push_back(std::move(step));
  }
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
      const size_t bytes = static_cast<size_t>(element_count(described)) *
                           (described.type == kTfLiteInt8 ? 1 : 4);
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
  for (const Slot& slot : slots) slots_.emplace_back(slot.bytes + kAlignment + kSlack);
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
    run_step(steps_[at], memory_of(context, steps_[at]), types_[at], backend_, threads);
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
    const double macs =
        step.convolution ? step.first.images * step.convolution->macs_of_image() : 0;
    char numbers[128];
    std::snprintf(numbers, sizeof numbers, "\t%.3f\t%.3f\t%.0f\t%.0f\n",
                  runs_ == 0 ? 0 : step.nanoseconds / runs_ / 1e3, step.last_nanoseconds / 1e3,
                  macs, step.bytes);
    lines += step.name + numbers;
  }
  return lines;
}

}  // namespace recu
