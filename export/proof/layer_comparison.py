"""Compares the layers of a file's model one by one, with any of the interpreters."""

import numpy as np
import tensorflow as tf

from export.conversion.converter import convert
from export.keras_graph.inputs_outputs import Inputs
from export.proof.bisection import IMAGES, find_first_wrong_layer
from export.proof.neighbours import GROUP, add_neighbours
from export.tflite.file import File
from export.tflite.flatbuffer import read
from export.tflite.interpreter import run_all

__all__ = ["LayerComparison"]


class LayerComparison:
    """The comparison of a model's layers, which keeps the files of its parts.

    To convert them takes longer than to run them, and all interpreters run the same.

    Args:
        model: that the file was converted from.
        tolerance: see `export.proof.bisection.find_first_wrong_layer`.
    """

    def __init__(self, model: tf.keras.Model, tolerance: float):
        self.model = model
        self.tolerance = tolerance
        self._parts: dict[tuple, tf.keras.Model] = {}
        self._files: dict[int, File] = {}

    def compare(
        self, file: File, images: Inputs, suspects: np.ndarray, backend: str | None = None
    ) -> dict:
        """Compares the first images, and suspects with their neighbours.

        Args:
            file: of the whole model.
            images: that it was run on.
            suspects: the numbers of images that differ grossly.
            backend: that runs the files, see `export.tflite.interpreter.run_all`.

        Returns:
            What that shows, as attributes of `export.proof.verdict.Verification`.
        """

        def choose(array: np.ndarray) -> np.ndarray:
            return np.concatenate([add_neighbours(array[suspects]), array[:IMAGES]])

        def run(part: tf.keras.Model, values: Inputs) -> list[np.ndarray]:
            # `_parts` holds the part, so that no other gets its number.
            if id(part) not in self._files:
                self._files[id(part)] = read(convert(part))
            return run_all(self._files[id(part)], values, backend)

        chosen = list(map(choose, images)) if isinstance(images, list) else choose(images)
        groups = [slice(GROUP * number, GROUP * (number + 1)) for number in range(len(suspects))]
        groups.append(slice(GROUP * len(suspects), None))
        outputs = run_all(file, chosen, backend)
        end = outputs if len(outputs) > 1 else outputs[0]
        try:
            wrong = find_first_wrong_layer(
                self.model,
                chosen,
                run,
                self.tolerance,
                outputs=end,
                groups=groups,
                parts=self._parts,
            )
        except ValueError as error:
            return {"not_taken_apart": str(error)}
        return {"taken_apart": True, "wrong_layer": wrong}
