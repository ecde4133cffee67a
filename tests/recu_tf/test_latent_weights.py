import larq as lq
import numpy as np
import pytest
from conftest import assert_same_arrays
from own_data import make_model

from recu_tf.batch_norm import synchronize_batch_norm
from recu_tf.latent_weights import copy_weights, get_latent, read_latent_weights
from recu_tf.training.own_model import list_names, rename_layers


def copy_into_new(model):
    copy = make_model()
    assert copy_weights(model, copy)
    return copy


def rename(model):
    return rename_layers(model, list_names(make_model()))


@pytest.mark.parametrize("copy", [copy_into_new, synchronize_batch_norm, rename])
def test_copies_have_latent_weights_within_a_quantized_scope_too(copy):
    model = make_model()
    expected = model.get_weights()
    with lq.context.quantized_scope(True):
        got = read_latent_weights(copy(model))
    assert_same_arrays(got, expected)
    latent = get_latent(model.layers[3].kernel)
    assert len(np.unique(latent)) > 2
    assert get_latent(latent) is latent


def test_weights_of_other_shapes_are_not_copied():
    copy = make_model(filters=5)
    before = copy.get_weights()
    assert not copy_weights(make_model(), copy)
    assert_same_arrays(copy.get_weights(), before)
