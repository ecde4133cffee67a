// The golden sample of an exported folder: inputs, and the outputs of the network for them.
//
// golden.bin holds numbers only: those of the first input in every run, of the next input, and so
// on, then of the outputs. model.json says how many runs there are and how far outputs may differ.
#pragma once

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Sample {
  int runs;
  int enough;  // runs that must agree
  const char* numbers;
  size_t size;
  const char* description;
  // Of the run, and of its next tensor.
  int run;
  int disagrees;
  size_t offset;
  const char* tolerance;
  // Of all runs so far.
  int wrong;
  double largest_difference;
} Sample;

// Ends the program, because something cannot be used.
static void fail(const char* reason) {
  fprintf(stderr, "self_test: error: %s\n", reason);
  exit(2);
}

// Reads a file of the folder, and writes a zero behind it. It is needed to the end of the program.
static char* read_file(const char* folder, const char* name, size_t* size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* file = fopen(path, "rb");
  const long end = file != NULL && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  char* content = end < 0 ? NULL : calloc((size_t)end + 1, 1);
  if (content == NULL || fseek(file, 0, SEEK_SET) != 0 ||
      fread(content, 1, (size_t)end, file) != (size_t)end) {
    perror(path);
    fail("a file of the folder cannot be read");
  }
  fclose(file);
  *size = (size_t)end;
  return content;
}

// Reads the number behind the next `key` in the text of model.json, and moves on to it.
static double read_number(const char** json, const char* key) {
  *json = strstr(*json, key);
  if (*json == NULL) fail("model.json describes no golden sample");
  *json += strlen(key);
  return strtod(*json, NULL);
}

static Sample read_sample(const char* folder) {
  Sample sample = {0};
  size_t json_size;
  sample.description = read_file(folder, "model.json", &json_size);
  read_number(&sample.description, "\"golden\":");
  sample.runs = (int)read_number(&sample.description, "\"runs\":");
  sample.enough = (int)read_number(&sample.description, "\"enough\":");
  if (sample.runs < 1 || sample.enough < 1 || sample.enough > sample.runs) {
    fail("model.json describes a golden sample without runs");
  }
  sample.numbers = read_file(folder, "golden.bin", &sample.size);
  return sample;
}

static void start_run(Sample* sample, int run) {
  sample->run = run;
  sample->disagrees = 0;
  sample->offset = 0;
  sample->tolerance = sample->description;
}

// The numbers of the next tensor in this run.
static const void* next_numbers(Sample* sample, size_t bytes) {
  const char* numbers = sample->numbers + sample->offset + bytes * (size_t)sample->run;
  sample->offset += bytes * (size_t)sample->runs;
  if (sample->offset > sample->size) fail("golden.bin belongs to another network");
  return numbers;
}

// Compares an output with the next one of the sample, and prints its class: the largest number's.
static void check_output(Sample* sample, const float* values, size_t bytes) {
  const char* expected = next_numbers(sample, bytes);
  const double tolerance = read_number(&sample->tolerance, "\"tolerance\":");
  size_t class_number = 0;
  int disagrees = 0;
  for (size_t i = 0; i < bytes / sizeof(float); ++i) {
    float number;
    memcpy(&number, expected + i * sizeof number, sizeof number);
    const double difference = fabs((double)values[i] - number);
    disagrees |= !(difference <= tolerance);  // of what is not a number as well
    sample->largest_difference = fmax(sample->largest_difference, difference);
    if (values[i] > values[class_number]) class_number = i;
  }
  sample->wrong += disagrees && !sample->disagrees;
  sample->disagrees |= disagrees;
  printf("run %d: class %zu\n", sample->run, class_number);
}

// Prints how many runs agree; returns whether they are enough.
static int print_verdict(const Sample* sample) {
  const int right = sample->runs - sample->wrong;
  const int passed = right >= sample->enough;
  printf("self-test %s: %d of %d runs within the tolerance (%d are enough), largest difference "
         "%.1e\n",
         passed ? "passed" : "FAILED", right, sample->runs, sample->enough,
         sample->largest_difference);
  return passed;
}
