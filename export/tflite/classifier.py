"""A TFLite file as a classifier, run with the delegate or by Larq Compute Engine."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from export import runtime
from export.runtime.delegate_facts import describe_runtime
from export.tflite.backends import load_in_tensorflow_lite, make_predict
from export.tflite.file import File
from export.tflite.flatbuffer import read
from export.tflite.interpreter import choose_backend, load_in_engine
from recu_tf.data import Normalization
from recu_tf.messages import in_one_line
from recu_tf.networks import Classifier, make_classifier
from recu_tf.networks.classifiers import split_into_batches
from recu_tf.pixel_scaling import denormalize

__all__ = ["load_tflite_classifier", "make_tflite_classifier"]

Predict = Callable[[np.ndarray], np.ndarray]
Specs = list[tf.TensorSpec]
# Each interpreter has weights of its own.
MOST_INTERPRETERS = 16


def make_tflite_classifier(
    flatbuffer: bytes, normalization: Normalization | None = None
) -> Classifier:
    """Makes a classifier from a TFLite file.

    Args:
        flatbuffer, normalization: see `load_tflite_classifier`.
    """
    classifier, _ = load_tflite_classifier(flatbuffer, normalization)
    return classifier


def load_tflite_classifier(
    flatbuffer: bytes, normalization: Normalization | None = None
) -> tuple[Classifier, str]:
    """Makes a classifier from a TFLite file, with or without binary convolutions.

    A file with binary operators runs with the delegate where that was compiled and takes the file:
    in as many interpreters as there are processors, each on one thread with images of its own.
    Larq Compute Engine runs any other file, on one thread.

    Args:
        flatbuffer: the file, with one input of any fixed number of images, float32 or pixels in
            uint8, and one float32 output.
        normalization: of the images that the classifier will be given, if the file takes pixels.

    Returns:
        The classifier, and what runs it, in words.

    Raises:
        ValueError: it is no such file, is damaged, or holds operators that the engine lacks; or it
            takes pixels and `normalization` is None.
    """
    file = read(flatbuffer)
    problem = runtime.find_problem()
    if file.has_binary_operators and problem is None:
        load_in_tensorflow_lite(file)  # refuses damaged files as with the engine
        try:
            (predict, inputs, outputs), description = _load_with_delegate(file)
            return _make_classifier(predict, inputs, outputs, normalization), description
        except RuntimeError as error:
            problem = in_one_line(error)
    description = f"Larq Compute Engine ({choose_backend()}), one by one"
    if file.has_binary_operators:
        description += f"; the delegate cannot be used: {problem}"
    predict, inputs, outputs = _load_in_engine(file)
    return _make_classifier(predict, inputs, outputs, normalization), description


def _make_classifier(
    predict: Predict, inputs: Specs, outputs: Specs, normalization: Normalization | None
) -> Classifier:
    """A classifier from a function that takes any number of images as the file does."""
    if [spec.dtype for spec in inputs] != [tf.uint8]:
        return make_classifier(predict, inputs, outputs)._replace(predict=predict)
    if normalization is None:
        raise ValueError(
            "`normalization` must be given for a file that takes pixels: that with which these "
            "become the images."
        )

    def predict_pixels(images: np.ndarray) -> np.ndarray:
        return predict(denormalize(images, normalization))

    floats = [tf.TensorSpec(spec.shape, tf.float32) for spec in inputs]
    return make_classifier(predict_pixels, floats, outputs)._replace(predict=predict_pixels)


def _load_in_engine(file: File) -> tuple[Predict, Specs, Specs]:
    engine = load_in_engine(file)
    inputs = map(tf.TensorSpec, engine.input_shapes, engine.input_types)
    outputs = map(tf.TensorSpec, engine.output_shapes, engine.output_types)

    def predict(images: np.ndarray) -> np.ndarray:
        batches = split_into_batches(engine.input_shapes[0][0], np.asarray(images))
        return np.concatenate([engine.predict([batch])[0] for batch in batches])[: len(images)]

    return predict, list(inputs), list(outputs)


def _load_with_delegate(file: File) -> tuple[tuple[Predict, Specs, Specs], str]:
    """A function for any number of images, the ends of the file, and what runs it.

    Raises:
        RuntimeError: the delegate cannot run the file.
    """
    count = min(len(os.sched_getaffinity(0)), MOST_INTERPRETERS)
    interpreters = [runtime.load(file.content) for _ in range(count)]
    runs = list(map(make_predict, interpreters))
    inputs, outputs = (
        [tf.TensorSpec(tensor["shape"], tensor["dtype"]) for tensor in details]
        for details in (interpreters[0].get_input_details(), interpreters[0].get_output_details())
    )
    pool = ThreadPoolExecutor(count)

    def predict(images: np.ndarray) -> np.ndarray:
        batches = split_into_batches(inputs[0].shape[0], np.asarray(images))
        # Running an interpreter lets other threads of Python run.
        found = pool.map(
            lambda number: [runs[number]([batch])[0] for batch in batches[number::count]],
            range(count),
        )
        results: list[np.ndarray] = [np.empty(0)] * len(batches)
        for number, some in enumerate(found):
            results[number::count] = some
        return np.concatenate(results)[: len(images)]

    by_so_many = f"{count} at a time" if count > 1 else "one by one"
    return (predict, inputs, outputs), f"the {describe_runtime()}, {by_so_many}"
