// The native methods of RecuDelegate.java.
#include <jni.h>
#include <stdint.h>
#include <stdio.h>

#include "recu_delegate.h"

static _Thread_local char reason[256];

static void keep_reason(const char* message) { snprintf(reason, sizeof reason, "%s", message); }

JNIEXPORT jlong JNICALL Java_recu_RecuDelegate_create(JNIEnv* env, jclass type, jint num_threads) {
  (void)type;
  char text[16];
  snprintf(text, sizeof text, "%d", (int)num_threads);
  char *keys[] = {"num_threads"}, *values[] = {text};
  TfLiteDelegate* delegate = tflite_plugin_create_delegate(keys, values, 1, keep_reason);
  if (delegate == NULL) {
    jclass exception = (*env)->FindClass(env, "java/lang/IllegalArgumentException");
    if (exception != NULL) (*env)->ThrowNew(env, exception, reason);
  }
  return (jlong)(intptr_t)delegate;
}

JNIEXPORT jstring JNICALL Java_recu_RecuDelegate_backend(JNIEnv* env, jclass type, jlong handle) {
  (void)type;
  const char* name = handle == 0 ? "" : recu_backend((TfLiteDelegate*)(intptr_t)handle);
  return (*env)->NewStringUTF(env, name);
}

JNIEXPORT void JNICALL Java_recu_RecuDelegate_destroy(JNIEnv* env, jclass type, jlong handle) {
  (void)env, (void)type;
  tflite_plugin_destroy_delegate((TfLiteDelegate*)(intptr_t)handle);
}
