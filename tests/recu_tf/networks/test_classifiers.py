import numpy as np
import pytest
import tensorflow as tf
from tiny_networks import dense

from recu_tf import networks


def test_keras_classifier_takes_any_number_of_images(images):
    model = dense()
    classifier = networks.make_keras_classifier(model)
    assert classifier[1:] == ((8, 8, 3), 4)
    for count in (5, 1):
        # Sums of 192 products, in another order.
        np.testing.assert_allclose(
            classifier.predict(images[:count]), model(images[:count]), atol=1e-5
        )


@pytest.mark.parametrize("size", [1, 2, 8])
def test_fixed_number_of_images_is_filled_up(images, size):
    model = dense(batch_size=size)
    classifier = networks.make_keras_classifier(model)
    free = dense()
    free.set_weights(model.get_weights())
    np.testing.assert_allclose(classifier.predict(images), free(images), atol=1e-5)


def test_keras_networks_that_classify_no_images_are_refused():
    two = tf.keras.Input((2,))
    with pytest.raises(ValueError, match=r"must map \(batch, height.* got \(None, 2\)"):
        networks.make_keras_classifier(tf.keras.Model(two, tf.keras.layers.Dense(2)(two)))
    model = dense()
    with pytest.raises(ValueError, match="one input and one output, got 1 and 2"):
        networks.make_keras_classifier(tf.keras.Model(model.inputs, model.outputs * 2))
    with pytest.raises(ValueError, match="floating-point numbers, got uint8 and float32"):
        networks.make_keras_classifier(dense(dtype="uint8"))
