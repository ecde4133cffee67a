package recu;

import org.tensorflow.lite.Delegate;

/**
 * Runs the operators of Larq Compute Engine in an interpreter of TensorFlow Lite or LiteRT. It has
 * to outlive the interpreter: close the interpreter first.
 */
public final class RecuDelegate implements Delegate, AutoCloseable {
  static {
    System.loadLibrary("recu_delegate_jni");
  }

  private long handle;

  /**
   * Creates a delegate, for one interpreter.
   *
   * @param numThreads threads that share the work of each operator, 1 to 256
   * @throws IllegalArgumentException if that is out of range
   */
  public RecuDelegate(int numThreads) {
    handle = create(numThreads);
  }

  /** The address of the delegate, which the interpreter asks for. */
  @Override
  public long getNativeHandle() {
    return handle;
  }

  /** What the operators run on: "NEON" on 64-bit ARM, "portable" on 32-bit ARM. */
  public String getBackend() {
    return backend(handle);
  }

  @Override
  public void close() {
    if (handle != 0) {
      destroy(handle);
      handle = 0;
    }
  }

  private static native long create(int numThreads);

  private static native String backend(long handle);

  private static native void destroy(long handle);
}
