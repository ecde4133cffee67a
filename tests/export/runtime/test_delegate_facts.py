from delegates import need_delegate
from tiny_files import binary_file

from export import runtime
from export.runtime import delegate_facts

need_delegate()


def test_every_backend_has_a_limit():
    limits = [delegate_facts.find_limit(name) for name in ("AVX-512", "AVX2", "NEON", "portable")]
    assert limits == sorted(limits, reverse=True)
    assert delegate_facts.find_limit(delegate_facts.name_backend(runtime.delegate())) >= limits[-1]
    assert delegate_facts.find_limit("abacus") is None


def test_backend_is_the_one_that_was_chosen():
    assert delegate_facts.name_backend(runtime.delegate(backend="portable")) == "portable"


def test_clock_is_that_of_a_processor():
    assert 0.1 < delegate_facts.measure_clock() < 10  # GHz


def test_nodes_are_those_of_binary_and_neighbouring_operators():
    created = runtime.delegate()
    assert delegate_facts.list_nodes(created) == []
    interpreter = runtime.load(binary_file(), with_delegate=created)
    # CONV_2D, LceQuantize, LceBconv2d, MEAN, FULLY_CONNECTED
    assert delegate_facts.list_nodes(created) == [1, 2]
    del interpreter


def test_runtime_names_the_interpreter_and_the_backend():
    backend = delegate_facts.name_backend(runtime.delegate())
    interpreter = delegate_facts.name_interpreter()
    assert interpreter.rpartition(" ")[0] in ("LiteRT", "TensorFlow Lite")
    assert delegate_facts.describe_runtime() == f"delegate ({backend}) in {interpreter}"
    assert delegate_facts.describe_runtime("portable").startswith("delegate (portable) in ")
