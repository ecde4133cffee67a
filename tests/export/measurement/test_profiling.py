import pytest
from delegates import hide_delegate, needs_delegate
from tiny_files import binary_file

from export.measurement.profiling import profile_delegate
from export.runtime import delegate_facts


@needs_delegate
@pytest.mark.parametrize("threads", [1, 2])
def test_profile_measures_steps_and_the_operators_of_the_interpreter(threads):
    profile = profile_delegate("mine", binary_file(), threads=threads, repeats=3)
    assert [step.is_binary for step in profile.steps] == [False, True]
    assert profile.steps[1].channels == 32
    assert profile.steps[1].macs == 8 * 8 * 16 * 3 * 3 * 32
    floats = 8 * 8 * (32 + 16)
    words = 8 * 8 + 16 * 3 * 3
    assert [step.bytes for step in profile.steps] == [
        4 * 8 * 8 * (32 + 1),
        4 * (floats - 8 * 8 * 32 + words),
    ]
    names = {operator.name.split()[0] for operator in profile.operators}
    assert names == {"CONV_2D", "MEAN", "FULLY_CONNECTED"}
    assert sum(part.macs for part in profile.operators) == 8 * 8 * 32 * 3 * 3 * 3 + 16 * 3
    measured = [*profile.steps, *profile.operators]
    assert all(part.microseconds > 0 for part in measured)
    assert profile.threads == threads
    assert min(profile.cache_rate, profile.memory_rate) > 0


@needs_delegate
def test_limit_counts_no_processors_that_the_process_may_not_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    profile = profile_delegate("mine", binary_file(), threads=2, repeats=1)
    assert profile.limit == delegate_facts.find_limit(profile.backend)


def test_profile_without_the_library_is_refused(monkeypatch):
    hide_delegate(monkeypatch)
    with pytest.raises(FileNotFoundError, match=r"absent/librecu_delegate\.so does not exist"):
        profile_delegate("mine", binary_file())
