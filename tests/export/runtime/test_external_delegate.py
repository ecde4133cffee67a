import numpy as np
import pytest
import tensorflow as tf
from conftest import small_resnet
from larq_compute_engine.tflite.python.interpreter import Interpreter

import export
from export import runtime
from export.proof import sweep
from export.proof.single_operator import (
    Convolution,
    build_file,
    compute_expected,
    draw_numbers,
    has_windows,
)
from export.runtime import external_delegate
from recu_tf import models

K = tf.keras.layers
# In float32 every sum of bits is exact; what is left is one multiplication and two additions.
ROUNDING = 4 * np.finfo(np.float32).eps


if not external_delegate.PATH.exists():
    pytest.skip("needs the delegate, which was not compiled", allow_module_level=True)


def available(backend):
    try:
        runtime.delegate(backend=backend)
    except ValueError:
        return False
    return True


BACKENDS = [
    pytest.param(
        name, marks=pytest.mark.skipif(not available(name), reason=f"needs a processor with {name}")
    )
    for name in ("AVX-512", "AVX2", "NEON", "portable")
]


def outputs(interpreter, *images):
    for details, values in zip(interpreter.get_input_details(), images, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]


def check(case, backend, num_threads=1):
    numbers = draw_numbers(case)
    delegate = runtime.delegate(num_threads, backend=backend)
    interpreter = runtime.load(build_file(case, numbers), with_delegate=delegate)
    (got,) = outputs(interpreter, numbers["images"])
    wanted = compute_expected(case, numbers)
    largest = 1.0
    if isinstance(case, Convolution):
        largest = 1.5 * case.kernel[0] * case.kernel[1] * case.channels + 5
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= ROUNDING * largest, case


def sample(name, every):
    """One in `every` cases of a sweep, always the same ones."""
    return sweep.sample_cases(filter(has_windows, sweep.SWEEPS[name]()), every)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "every"), [(name, 400) for name in sweep.SWEEPS])
def test_operators_compute_what_numpy_computes(name, every, backend):
    every = 1 if name == "activations" else every
    for number, case in enumerate(sample(name, every)):
        check(case, backend, 1 + number % 2)


@pytest.mark.slow
@pytest.mark.parametrize("sweep_name", sweep.SWEEPS)
def test_operators_compute_what_numpy_computes_in_many_sizes(sweep_name):
    backends = [name for (name,) in (mark.values for mark in BACKENDS) if available(name)]
    for number, case in enumerate(sample(sweep_name, 1)):
        check(case, backends[number % len(backends)], 1 + number % 3)


def engine_outputs(flatbuffer, *images):
    found = Interpreter(flatbuffer, num_threads=1, use_indirect_bgemm=True).predict(list(images))
    return found if isinstance(found, list) else [found]


def with_random_statistics(model):
    """Batch norms as after a training: scales of both signs, means and variances of their own."""
    for layer in model.layers:
        if isinstance(layer, K.BatchNormalization):
            count = layer.gamma.shape[0]
            scale = np.random.uniform(0.5, 1.5, count) * np.random.choice([-1, 1], count)
            moments = np.random.normal(0, 0.3, count), np.random.uniform(0.5, 2, count)
            layer.set_weights([scale, np.random.normal(0, 0.3, count), *moments])
    return model


def check_network(flatbuffer, shape, num_threads=1):
    images = np.random.normal(size=shape).astype(np.float32)
    interpreter = runtime.load(flatbuffer, num_threads)
    for got, wanted in zip(
        outputs(interpreter, images), engine_outputs(flatbuffer, images), strict=True
    ):
        # The float layers around the binary ones are XNNPACK's, which sums in another order.
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("pad_values", [0, 1])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_network_computes_what_the_engine_computes(pad_values, num_threads):
    model = with_random_statistics(small_resnet((12, 12, 3), 5, pad_values))
    check_network(export.convert(model), (1, 12, 12, 3), num_threads)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        *((name, "cifar10") for name in models.CIFAR_NETWORKS),
        *((name, "imagenet") for name in models.IMAGENET_NETWORKS),
    ],
)
def test_published_networks_compute_what_the_engine_computes(name, dataset):
    size = 32 if dataset == "cifar10" else 64
    model = with_random_statistics(
        models.build(name, dataset, num_classes=10, input_shape=(size, size, 3))
    )
    rewritten, _ = export.rewrite(
        export.float32_model(model), np.random.normal(size=(4, size, size, 3)).astype(np.float32)
    )
    check_network(export.convert(rewritten), (1, size, size, 3))


def test_everything_between_binary_convolutions_runs_in_one_step_or_none():
    model = with_random_statistics(small_resnet((12, 12, 3), 5))
    measured = runtime.delegate(measure=True)
    interpreter = runtime.load(export.convert(model), with_delegate=measured)
    interpreter.invoke()
    steps = runtime.profile(measured)
    convolutions = [step for step in steps if step.name.startswith("binary convolution")]
    assert len(convolutions) == 4
    assert all(step.macs > 0 for step in convolutions)
    # Signs of the stem's outputs, and the shortcut of the second stage.
    others = [step.name for step in steps if step not in convolutions]
    assert others == ["quantize", "average pool", "pad channels"]
    assert all(step.microseconds > 0 for step in steps)


def test_library_that_is_absent_is_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(external_delegate, "PATH", tmp_path / "librecu_delegate.so")
    with pytest.raises(FileNotFoundError, match=r"no C\+\+ compiler.*compile_delegate"):
        runtime.delegate()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"num_threads": 0},
            "num_threads. must be .* from 1 to 256, got num_threads=0",
        ),
        ({"backend": "SSE"}, "backend. must be one that this processor has.*got backend=SSE"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        runtime.delegate(**options)


def test_operator_that_cannot_be_run_is_named_with_the_reason():
    case = Convolution((4, 4), (3, 3), channels=32, pad_values=0)
    content = build_file(case, draw_numbers(case)).replace(b"LceBconv2d", b"LceBconv9d")
    with pytest.raises(RuntimeError, match=r"node 1, LceBconv9d, cannot be run: .*unknown"):
        runtime.load(content)


def test_library_of_another_machine_is_named_with_the_remedy(monkeypatch, tmp_path):
    path = tmp_path / "librecu_delegate.so"
    path.write_bytes(b"MZ")
    monkeypatch.setattr(external_delegate, "PATH", path)
    assert "cannot be loaded: " in runtime.find_problem()
    with pytest.raises(FileNotFoundError, match=r"cannot be loaded: .*compile_delegate"):
        runtime.load(b"")
