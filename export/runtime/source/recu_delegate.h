// The delegate's functions, for C, C++ and JNI. They need no header of TensorFlow Lite.
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// All else in the library is hidden.
#pragma GCC visibility push(default)

typedef struct TfLiteDelegate TfLiteDelegate;

// Creates a delegate for an interpreter, which it has to outlive. Its options are keys, and a value
// for each:
//   num_threads  threads that share the work of each operator, "1" (as without it) to "256"
//   backend      one of recu_backends; without it, the fastest
//   profile      "1" measures each step, for recu_profile
// Returns null if an option is wrong, after report_error, which may be null, was told why.
TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                              void (*report_error)(const char* message));

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate);

// The names of the backends that this processor can run, a line for each, the fastest first.
const char* recu_backends(void);

// The name of the backend that a delegate uses.
const char* recu_backend(TfLiteDelegate* delegate);

// The numbers of the nodes that it runs, each on a line, in the main graph of the first interpreter
// that it was given to.
const char* recu_nodes(TfLiteDelegate* delegate);

// A line for each step, if the delegate measures them: its name, the mean microseconds of a run,
// those of the last run, binary multiply-accumulates and bytes of a run, and the channels of a
// binary convolution's input (0 for other steps), between tabs. Valid until the next call.
const char* recu_profile(TfLiteDelegate* delegate);

// Cycles per nanosecond of the processor, now. It takes 3 milliseconds.
double recu_measure_clock(void);

// The most binary multiply-accumulates per cycle of one core with a backend; 0 if that is unknown.
double recu_limit(const char* backend);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
