"""The delegate's threads by themselves, under the sanitizer that finds races."""

import subprocess
import sys

import pytest
from delegate_host import HOST
from programs import need_sanitizers

from export.runtime import compile_delegate

RACES = ("-O1", "-g", "-std=c++17", "-pthread", "-fsanitize=thread", "-finstrument-functions")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which tells a thread's processor")
def test_threads_share_work_without_races(tmp_path):
    need_sanitizers(RACES)
    sources = [HOST / "check_threads.cc", compile_delegate.SOURCES / "threads.cc"]
    include = f"-I{compile_delegate.SOURCES}"
    command = [*compile_delegate.find_compiler(), *RACES, include, *map(str, sources)]
    subprocess.run([*command, "-o", "check"], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
