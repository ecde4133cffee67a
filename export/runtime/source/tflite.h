// The part of TensorFlow Lite's C interface that a delegate needs.
//
// No Python package ships these headers (tensorflow/lite/core/c/common.h, builtin_op_data.h). The
// structs are only ever extended at their ends, so the first fields, declared here, keep their
// places in every version of TensorFlow Lite and LiteRT.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1, kTfLiteDelegateError = 2 } TfLiteStatus;

// There are more of them, which have to be values of this type as well.
typedef enum TfLiteType : int {
  kTfLiteNoType = 0,
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteInt8 = 9,
} TfLiteType;

typedef struct TfLiteIntArray {
  int size;
  int data[];
} TfLiteIntArray;

typedef struct TfLiteQuantizationParams {
  float scale;
  int32_t zero_point;
} TfLiteQuantizationParams;

typedef struct TfLiteQuantization {
  int type;
  void* params;
} TfLiteQuantization;

// Of a tensor whose data are constants of the file.
enum { kTfLiteMmapRo = 1 };

struct TfLiteContext;
struct TfLiteDelegate;

typedef struct TfLiteTensor {
  TfLiteType type;
  void* data;
  TfLiteIntArray* dims;
  TfLiteQuantizationParams params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  struct TfLiteDelegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  TfLiteQuantization quantization;
  void* sparsity;
  const TfLiteIntArray* dims_signature;
} TfLiteTensor;

typedef struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  TfLiteIntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  struct TfLiteDelegate* delegate;
  bool might_have_side_effect;
} TfLiteNode;

typedef struct TfLiteRegistration {
  void* (*init)(struct TfLiteContext* context, const char* buffer, size_t length);
  void (*free)(struct TfLiteContext* context, void* buffer);
  TfLiteStatus (*prepare)(struct TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(struct TfLiteContext* context, TfLiteNode* node);
  const char* (*profiling_string)(const struct TfLiteContext* context, const TfLiteNode* node);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
} TfLiteRegistration;

typedef struct TfLiteContext {
  size_t tensors_size;
  TfLiteStatus (*GetExecutionPlan)(struct TfLiteContext* context, TfLiteIntArray** plan);
  TfLiteTensor* tensors;
  void* impl_;
  TfLiteStatus (*ResizeTensor)(struct TfLiteContext*, TfLiteTensor* tensor, TfLiteIntArray* size);
  void (*ReportError)(struct TfLiteContext*, const char* format, ...);
  TfLiteStatus (*AddTensors)(struct TfLiteContext*, int count, int* first);
  TfLiteStatus (*GetNodeAndRegistration)(struct TfLiteContext*, int node, TfLiteNode**,
                                         TfLiteRegistration**);
  TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(struct TfLiteContext*, TfLiteRegistration,
                                                        const TfLiteIntArray* nodes,
                                                        struct TfLiteDelegate*);
} TfLiteContext;

typedef struct TfLiteDelegateParams {
  struct TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
} TfLiteDelegateParams;

typedef struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(struct TfLiteContext*, struct TfLiteDelegate*);
  TfLiteStatus (*CopyFromBufferHandle)(struct TfLiteContext*, struct TfLiteDelegate*, int,
                                       TfLiteTensor*);
  TfLiteStatus (*CopyToBufferHandle)(struct TfLiteContext*, struct TfLiteDelegate*, int,
                                     TfLiteTensor*);
  void (*FreeBufferHandle)(struct TfLiteContext*, struct TfLiteDelegate*, int* handle);
  int64_t flags;
  void* opaque_delegate_builder;
} TfLiteDelegate;

// Shapes are checked when tensors are allocated. Without this flag the interpreter would prepare the
// engine's operators before it asks the delegate, and it does not know them.
enum { kTfLiteDelegateFlagsAllowDynamicTensors = 1 };

// Parameters of builtin operators.
enum { kTfLitePaddingUnknown = 0, kTfLitePaddingSame = 1, kTfLitePaddingValid = 2 };
enum { kTfLiteActNone = 0, kTfLiteActRelu = 1, kTfLiteActReluN1To1 = 2, kTfLiteActRelu6 = 3 };

typedef struct TfLiteActivationParams {  // of ADD and MUL, which begin with it
  int activation;
} TfLiteActivationParams;

typedef struct TfLitePoolParams {
  int padding;
  int stride_width;
  int stride_height;
  int filter_width;
  int filter_height;
  int activation;
} TfLitePoolParams;

typedef struct TfLiteConcatenationParams {
  int axis;
  int activation;
} TfLiteConcatenationParams;

enum {
  kBuiltinAdd = 0,
  kBuiltinAveragePool2d = 1,
  kBuiltinConcatenation = 2,
  kBuiltinMaxPool2d = 17,
  kBuiltinMul = 18,
  kBuiltinRelu = 19,
  kBuiltinReluN1To1 = 20,
  kBuiltinRelu6 = 21,
  kBuiltinCustom = 32,
  kBuiltinPad = 34,
  kBuiltinDelegate = 51,
  kBuiltinPrelu = 54,
};
}
