import numpy as np
import pytest
from conftest import assert_close
from delegates import hide_delegate
from tiny_files import binary_file, damaged, dense_file, float_file

from export import runtime
from export.tflite import backends
from export.tflite.packing import pack, unpack


def test_files_have_backends_by_their_operators():
    first = [] if runtime.find_problem() else [backends.DELEGATE]
    assert backends.find_backends(binary_file()) == [*first, *backends.BACKENDS]
    assert backends.find_backends(float_file()) == [
        "TFLite",
        "TFLite with XNNPACK",
        "engine",
        "engine with XNNPACK",
    ]


def test_delegate_that_was_not_compiled_is_no_backend(monkeypatch):
    hide_delegate(monkeypatch)
    assert backends.find_backends(binary_file()) == list(backends.BACKENDS)
    with pytest.raises(
        FileNotFoundError, match=r"not compiled when .* Install a C\+\+ compiler.*compile_delegate"
    ):
        backends.make_runner(binary_file(), backends.DELEGATE)


@pytest.mark.parametrize("convert", [binary_file, float_file])
def test_backends_agree(convert):
    flatbuffer = convert()
    names = backends.find_backends(flatbuffer)
    first, *others = (backends.make_runner(flatbuffer, name)()[0] for name in names)
    assert first.shape == (1, 3)
    for output in others:
        assert_close(output, first)


def test_inputs_may_be_of_any_numeric_type():
    flatbuffer = dense_file(dtypes=("float32", "int8", "uint8", "int32", "int64", "bool"))
    for name in backends.find_backends(flatbuffer):
        (output,) = backends.make_runner(flatbuffer, name, threads=2)()
        assert output.shape == (2, 3)
        if name == "TFLite":
            first = output
        assert_close(output, first)


def test_integers_that_may_be_indices_are_zeros():
    rng = np.random.default_rng(0)
    assert not backends.fill_input((4,), np.int32, rng).any()
    assert len(set(backends.fill_input((9,), np.uint8, rng))) > 1


def test_inputs_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="inputs must be numbers, got object"):
        backends.fill_input((1,), np.object_, np.random.default_rng(0))


def test_file_without_a_subgraph_is_refused_and_crashes_nothing():
    file = unpack(float_file())
    file.subgraphs = []
    with pytest.raises(ValueError, match="this one is damaged: it holds no graph"):
        backends.load_in_tensorflow_lite(pack(file))


def test_damaged_files_are_refused():
    for flatbuffer in [b"", b"PK something else", *damaged(binary_file())]:
        with pytest.raises(ValueError, match=r"`flatbuffer` must be a TFLite file; th"):
            backends.find_backends(flatbuffer)


def test_delegate_may_have_a_backend_of_its_own():
    assert backends.split_delegate("delegate") == (True, None)
    assert backends.split_delegate("delegate AVX-512 VPOPCNTDQ") == (True, "AVX-512 VPOPCNTDQ")
    assert not any(backends.split_delegate(name)[0] for name in backends.BACKENDS)
