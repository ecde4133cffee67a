"""Models whose inputs or outputs are wrong, or odd; the names say what is."""

import tensorflow as tf
from bad_parts import SHAPE, Apply, K, binary, classifier


def dynamic_size():
    return classifier(binary("convolution"), (None, None, 32))


def no_pixels():
    inputs = tf.keras.Input((0, 16, 3))
    return tf.keras.Model(inputs, Apply(lambda x: tf.reduce_sum(x, [1, 2]))(inputs))


def one_size_of_two_is_dynamic():
    inputs = [tf.keras.Input(SHAPE), tf.keras.Input((None, None, 32), name="large")]
    x = [K.GlobalAveragePooling2D()(x) for x in map(binary("convolution"), inputs)]
    return tf.keras.Model(inputs, K.Add()(x))


def input_with_a_name():
    inputs = tf.keras.Input(SHAPE, name="image")
    outputs = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    return tf.keras.Model({"image": inputs}, outputs)


def fixed_batch():
    inputs = tf.keras.Input(batch_shape=(4, *SHAPE))
    return tf.keras.Model(inputs, K.GlobalAveragePooling2D()(binary("convolution")(inputs)))


def two_inputs():
    inputs = [tf.keras.Input(SHAPE, name=name) for name in ("left", "right")]
    x = K.Add()(list(map(binary("convolution"), inputs)))
    return tf.keras.Model(inputs, K.GlobalAveragePooling2D()(x))


def words_of_text():
    image = tf.keras.Input(SHAPE)
    text = tf.keras.Input((1,), dtype="string", name="text")
    x = K.GlobalAveragePooling2D()(binary("convolution")(image))
    return tf.keras.Model([image, text], x)


def pixels_beside_features():
    image = tf.keras.Input(SHAPE, dtype="uint8", name="image")
    features = tf.keras.Input((32,))
    x = K.GlobalAveragePooling2D()(binary("convolution")(K.Rescaling(1 / 128, -1)(image)))
    return tf.keras.Model([image, features], K.Add()([x, features]))


def vectors_as_inputs():
    inputs = tf.keras.Input((32,))
    return tf.keras.Model(inputs, K.Dense(10)(inputs))


def whole_numbers_as_inputs():
    inputs = tf.keras.Input(SHAPE, dtype="int32")
    x = K.GlobalAveragePooling2D()(binary("convolution")(K.Rescaling(0.5, -3)(inputs)))
    return tf.keras.Model(inputs, K.Dense(10)(x))


def pixels_as_inputs():
    inputs = tf.keras.Input(SHAPE, dtype="uint8")
    x = K.Rescaling(1 / 128, -1)(inputs)
    return tf.keras.Model(inputs, K.GlobalAveragePooling2D()(binary("convolution")(x)))


def two_outputs():
    inputs = tf.keras.Input(SHAPE)
    x = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    return tf.keras.Model(inputs, [K.Dense(10)(x), K.Dense(4)(x)])


def outputs_with_names():
    inputs = tf.keras.Input(SHAPE)
    x = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    return tf.keras.Model(inputs, {"classes": K.Dense(10)(x)})


def outputs_of_no_batch():
    inputs = tf.keras.Input(SHAPE)
    x = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    return tf.keras.Model(inputs, [x, Apply(tf.reduce_mean, name="mean")(x)])


def outputs_of_another_batch():
    inputs = tf.keras.Input(SHAPE)
    x = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    return tf.keras.Model(inputs, {"classes": x, "channels": tf.reduce_mean(x, axis=0)})


def second_output_that_overflows():
    inputs = tf.keras.Input(SHAPE)
    x = K.GlobalAveragePooling2D()(binary("convolution")(inputs))
    exponential = Apply(lambda x: tf.exp(100 * tf.abs(x) + 100), name="second")(x)
    return tf.keras.Model(inputs, [x, exponential])


def images_as_outputs():
    inputs = tf.keras.Input(SHAPE)
    return tf.keras.Model(inputs, K.UpSampling2D()(binary("convolution", strides=2)(inputs)))
