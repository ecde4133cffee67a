// The nodes that the interpreter hands over, as the steps that run instead of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "step.h"

namespace recu {

class Program {
 public:
  // `operators` are in the order in which they may run. Constants are copied.
  Program(const TfLiteContext& context, std::vector<Operator> operators,
          const TfLiteIntArray& inputs, const TfLiteIntArray& outputs, const Backend& backend,
          bool measures);

  // What keeps the program from running on the tensors as they are now; empty where nothing does.
  std::string fault(const TfLiteContext& context) const;

  void run(const TfLiteContext& context, Threads& threads);

  // A line for each step: its name, the mean microseconds of a run, those of the last one,
  // multiply-accumulates, and bytes that are read and written.
  std::string profile() const;

 private:
  struct Slot {
    size_t bytes = 0;
    int last_use = -1;  // step after which it is free
  };

  // In fusing.cc: which operators run as one.
  void make_steps(const TfLiteContext& context, const std::vector<Operator>& operators);
  Step begin(const TfLiteContext& context, const Operator& first) const;
  bool absorb(const TfLiteContext& context, Step& step, const Operator& next) const;

  // In program.cc.
  void place_tensors(const TfLiteContext& context);
  char* address(const TfLiteContext& context, int tensor);
  Memory memory_of(const TfLiteContext& context, const Step& step);

  const Backend& backend_;
  bool measures_;
  long runs_ = 0;
  std::set<int> outside_;  // tensors that the interpreter keeps
  std::set<int> outputs_;
  struct Described {
    TfLiteType type;
    std::vector<int> shape;
  };
  std::map<int, Described> described_;  // all tensors when the program was made
  std::vector<Step> steps_;
  std::map<int, size_t> slot_of_;  // of tensors between steps
  std::vector<std::vector<char>> slots_;
  std::vector<uint8_t> scratch_;
};

}  // namespace recu
