"""Whether the delegate, the engine and Keras agree on a network with random weights."""

import numpy as np
from binary_parts import cut
from delegates import BACKENDS, load_without_xnnpack, run_delegate, run_engine, run_images


def draw(*shape):
    return np.random.normal(size=shape).astype(np.float32)


def check_bits(flatbuffer, num_threads=1):
    """Compares what the delegate runs with the engine, bit for bit, in all backends."""
    part, inputs = cut(flatbuffer)
    wanted = run_engine(part, *inputs)
    assert wanted
    for backend in BACKENDS:
        got = run_delegate(part, *inputs, backend=backend, num_threads=num_threads)
        for number, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
            assert ours.tobytes() == theirs.tobytes(), (backend, number)


def count_near(got, wanted):
    """How many images have outputs that differ by what sums in another order do."""
    differences = np.abs(got - wanted).max(axis=tuple(range(1, wanted.ndim)))
    return np.count_nonzero(differences <= 1e-4 * np.abs(wanted).max())


def check_outputs(flatbuffer, model, count=4):
    """Compares whole outputs with the engine, and then with Keras.

    Where a float layer rounds otherwise, a sign turns if a value is that close to 0, and in a
    network of random weights much of what comes after. So few images may differ, but not all do
    unless the engine differs as well; all do where operators are connected wrongly.
    """
    images = draw(count, *model.input_shape[1:])
    (got,) = run_images(load_without_xnnpack(flatbuffer), images)
    engine = np.concatenate([run_engine(flatbuffer, image[np.newaxis])[0] for image in images])
    assert count_near(got, engine) >= count // 2
    in_keras = model.predict(images, verbose=0)
    assert count_near(got, in_keras) or not count_near(engine, in_keras)
