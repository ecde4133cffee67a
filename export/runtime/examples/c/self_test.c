// Runs the golden sample of an exported folder in TensorFlow Lite with the delegate:
//   self_test FOLDER [THREADS]
// Ends with 0 if the outputs are the folder's, 1 if they are not, 2 if something cannot be used.
#include <time.h>

#include "golden_sample.h"
#include "recu_delegate.h"
#include "tensorflow_lite.h"

enum { REPEATS = 51 };

// Runs the network; returns the milliseconds that it took.
static double invoke(TfLiteInterpreter* interpreter) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) fail("the network cannot be run");
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) * 1e-6;
}

static int compare_times(const void* a, const void* b) {
  return (*(const double*)a > *(const double*)b) - (*(const double*)a < *(const double*)b);
}

int main(int argc, char** argv) {
  if (argc < 2) fail("usage: self_test FOLDER [THREADS]");
  char *keys[] = {"num_threads"}, *values[] = {argc > 2 ? argv[2] : "1"};
  TfLiteDelegate* delegate = tflite_plugin_create_delegate(keys, values, 1, fail);
  TfLiteInterpreterOptions* options = TfLiteInterpreterOptionsCreate();
  TfLiteInterpreterOptionsSetNumThreads(options, atoi(values[0]));
  TfLiteInterpreterOptionsAddDelegate(options, delegate);
  size_t size;
  const char* file = read_file(argv[1], "model.tflite", &size);
  TfLiteModel* model = TfLiteModelCreate(file, size);
  TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, options);
  if (interpreter == NULL || TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk) {
    fail("model.tflite cannot be used");
  }

  Sample sample = read_sample(argv[1]);
  for (int run = 0; run < sample.runs; ++run) {
    start_run(&sample, run);
    for (int i = 0; i < TfLiteInterpreterGetInputTensorCount(interpreter); ++i) {
      TfLiteTensor* tensor = TfLiteInterpreterGetInputTensor(interpreter, i);
      size = TfLiteTensorByteSize(tensor);
      memcpy(TfLiteTensorData(tensor), next_numbers(&sample, size), size);
    }
    invoke(interpreter);
    for (int i = 0; i < TfLiteInterpreterGetOutputTensorCount(interpreter); ++i) {
      const TfLiteTensor* tensor = TfLiteInterpreterGetOutputTensor(interpreter, i);
      if (TfLiteTensorType(tensor) != kTfLiteFloat32) fail("an output is not float32");
      check_output(&sample, TfLiteTensorData(tensor), TfLiteTensorByteSize(tensor));
    }
  }
  const int passed = print_verdict(&sample);
  double times[REPEATS];
  for (int i = 0; i < REPEATS; ++i) times[i] = invoke(interpreter);
  qsort(times, REPEATS, sizeof times[0], compare_times);
  printf("median of %d runs: %.2f ms (%s)\n", REPEATS, times[REPEATS / 2], recu_backend(delegate));

  TfLiteInterpreterDelete(interpreter);
  TfLiteInterpreterOptionsDelete(options);
  TfLiteModelDelete(model);
  tflite_plugin_destroy_delegate(delegate);
  return passed ? 0 : 1;
}
