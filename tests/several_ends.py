"""Networks with several inputs and outputs, and what goes into them."""

import numpy as np
import tensorflow as tf
from bad_parts import K, binary, normalised

from export.keras_graph.inputs_outputs import draw_inputs


def _block(x, name):
    """Two residual binary convolutions."""
    for number in range(2):
        y = K.BatchNormalization()(binary(f"{name}{number}")(x))
        x = K.Add(name=f"{name}{number}.sum")([x, y])
    return x


def detection():
    """Boxes and classes of each of 16 places, and a score of the whole image."""
    image = tf.keras.Input((8, 8, 3), name="image")
    x = _block(K.Conv2D(32, 3, strides=2, padding="same", name="stem")(image), "block")
    outputs = {
        "boxes": K.Reshape((16, 4), name="b")(K.Conv2D(4, 1)(x)),
        "classes": K.Softmax(name="a")(K.Conv2D(5, 1)(x)),
        "a.score": K.Dense(1, activation="sigmoid", name="c")(K.GlobalAveragePooling2D()(x)),
    }
    return normalised(tf.keras.Model(image, outputs, name="detection"))


def segmentation():
    """Logits of three classes at each pixel."""
    image = tf.keras.Input((16, 16, 3), name="image")
    x = _block(K.Conv2D(32, 3, strides=4, padding="same", name="stem")(image), "block")
    x = K.UpSampling2D(2)(x)
    x = K.Conv2DTranspose(3, 3, strides=2, padding="same", name="head")(x)
    return normalised(tf.keras.Model(image, x, name="segmentation"))


def image_and_features():
    """Two outputs of one shape; the names of the ends are not in their order."""
    image = tf.keras.Input((8, 8, 3), name="z_image")
    small = tf.keras.Input((4, 4, 2), name="small")
    features = tf.keras.Input((4,), name="a_features")
    words = tf.keras.Input((5,), dtype="int32", name="words")
    x = _block(K.Conv2D(32, 3, strides=2, padding="same", name="stem")(image), "block")
    x = K.GlobalAveragePooling2D()(K.Add()([x, K.Conv2D(32, 1)(small)]))
    y = K.GlobalAveragePooling1D()(K.Embedding(7, 8, name="words.table")(words))
    x = K.Concatenate()([x, K.Dense(8)(features), y])
    outputs = [K.Dense(3, name=name)(x) for name in ("second", "first")]
    return normalised(tf.keras.Model([image, small, features, words], outputs, name="several"))


def given(model, count=8):
    """Random numbers for each input, a list also of one."""
    values = draw_inputs(model, count, seed=1)
    return values if isinstance(values, list) else [values]


def assert_all_close(got, expected, tolerance=1e-4):
    """Of each output in its place; a sign within rounding of 0 may turn in an image, not in all."""
    expected = [np.asarray(output) for output in tf.nest.flatten(expected)]
    assert [output.shape for output in got] == [output.shape for output in expected]
    for output, other in zip(got, expected, strict=True):
        difference = np.abs(output - other).reshape(len(other), -1).max(axis=1)
        assert np.median(difference) <= tolerance * np.abs(other).max()
