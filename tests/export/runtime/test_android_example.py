"""The Android example, with GCC and Java on Linux in place of the NDK."""

import shutil
import subprocess
from pathlib import Path

import phone_page
import pytest
from delegates import need_delegate
from programs import need_programs

from export import runtime

need_delegate()
pytestmark = pytest.mark.slow

SOURCES = phone_page.TREE / "export" / "runtime" / "examples" / "android" / "java"
# Only what the example and the page use of TensorFlow Lite's classes.
TENSORFLOW_LITE = {
    "Delegate": """
        public interface Delegate extends java.io.Closeable {
          long getNativeHandle();
          @Override default void close() {}
        }""",
    "Interpreter": """
        public final class Interpreter implements AutoCloseable {
          public static class Options {
            public Options setNumThreads(int count) { return this; }
            public Options addDelegate(Delegate delegate) { return this; }
          }
          public Interpreter(java.nio.ByteBuffer model, Options options) {}
          public void run(Object input, Object output) {}
          @Override public void close() {}
        }""",
}
PROGRAM = """
import java.nio.ByteBuffer;
import org.tensorflow.lite.Interpreter;
import recu.RecuDelegate;

class Program {
  static void run(ByteBuffer model, ByteBuffer image) {
    %s
  }

  public static void main(String[] arguments) {
    RecuDelegate delegate = new RecuDelegate(2);
    System.out.println(delegate.getNativeHandle() != 0);
    System.out.println(delegate.getBackend());
    delegate.close();
    delegate.close();
    System.out.println(delegate.getNativeHandle());
    try {
      new RecuDelegate(0);
    } catch (IllegalArgumentException refused) {
      System.out.println(refused.getMessage());
    }
  }
}
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def home():
    """The folder of the installed Java."""
    need_programs("cmake", "cc", "c++", "javac")
    return Path(shutil.which("javac")).resolve().parents[1]


@pytest.fixture(scope="module")
def classes(home, tmp_path_factory):
    """The folder of the compiled classes, with the C header of the native methods."""
    folder = tmp_path_factory.mktemp("classes")
    paths = [*SOURCES.rglob("*.java"), folder / "Program.java"]
    (snippet,) = phone_page.find_code("java")
    paths[-1].write_text(PROGRAM % snippet, "utf-8")
    for name, code in TENSORFLOW_LITE.items():
        paths.append(folder / f"{name}.java")
        paths[-1].write_text(f"package org.tensorflow.lite;\n{code}\n", "utf-8")
    run(home / "bin" / "javac", "-Xlint:all", "-Werror", "-d", folder, "-h", folder, *paths)
    return folder


@pytest.fixture(scope="module")
def libraries(home, classes, tmp_path_factory):
    """The folder of the libraries, built by the page's commands, without those of the NDK.

    The header that Java wrote is included first: other parameters would be an error.
    """
    header = classes / "recu_RecuDelegate.h"
    flags = f"-include {header} -I{home}/include -I{home}/include/linux"
    place = tmp_path_factory.mktemp("place")
    without = r"-DANDROID_\S+|-DCMAKE_TOOLCHAIN_FILE=\S+"
    return phone_page.build("build-android", place, without, f"-DCMAKE_C_FLAGS='{flags}'")


def test_class_creates_the_delegate(home, classes, libraries):
    places = f"-Djava.library.path={libraries}"
    printed = run(home / "bin" / "java", "-Xcheck:jni", places, "-cp", classes, "Program")
    created, backend, closed, refused = printed.splitlines()
    assert created == "true"
    assert backend == runtime.backends()[0]
    assert closed == "0"
    assert refused == (
        "recu: `num_threads` must be a whole number from 1 to 256, got num_threads=0"
    )


def test_library_has_the_native_methods_and_nothing_else(libraries):
    assert (libraries / "librecu_delegate.so").exists()
    need_programs("nm")
    lines = run("nm", "-D", "--defined-only", libraries / "librecu_delegate_jni.so").splitlines()
    names = {line.split()[-1] for line in lines}
    methods = ("create", "backend", "destroy")
    assert names == {f"Java_recu_RecuDelegate_{name}" for name in methods}
