// Which operators run as one step.
#include <algorithm>
#include <cstdio>

#include "program.h"

namespace recu {
namespace {

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
  return clamp.lowest > Clamp{}.lowest || clamp.highest < Clamp{}.highest;
}

int stage_of(const Step& step) {
  if (clamps(step.clamp)) return 5;
  if (!step.slopes.empty()) return 4;
  if (step.residual >= 0) return 3;
  if (!step.bias.empty()) return step.adds_constant ? 2 : 1;
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

Step Program::begin(const TfLiteContext& context, const Operator& first) const {
  Step step;
  step.first = first;
  step.inputs = first.inputs;
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
    step.adds_constant = next.kind == Kind::kAddConstant;
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
    Types& types = step.types;
    const TfLiteTensor& input = context.tensors[step.inputs[0]];
    types.int8_input = input.type == kTfLiteInt8;
    const TfLiteTensor& output = context.tensors[step.first.output];
    types.int8_output = output.type == kTfLiteInt8;
    const TfLiteTensor& int8 = types.int8_input ? input : output;
    types.zero_point = int8.params.zero_point;
    types.scale = int8.params.scale;
    for (const int tensor : step.inputs) step.bytes += bytes_of(context, tensor);
    for (const int tensor : {step.residual, step.values, step.bits, step.first.weights}) {
      step.bytes += bytes_of(context, tensor);
    }
    steps_.push_back(std::move(step));
  }
}

}  // namespace recu
