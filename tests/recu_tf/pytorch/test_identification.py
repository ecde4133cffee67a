import numpy as np
import pytest
from published_weights import NETWORKS, published_weights

from recu_tf import pytorch


@pytest.mark.parametrize("reference", NETWORKS)
def test_network_and_data_set_are_inferred(reference):
    state_dict = published_weights(reference)
    assert pytorch.infer_network(state_dict) == NETWORKS[reference]
    prefixed = {f"module.{name}": value for name, value in state_dict.items()}
    assert pytorch.infer_network(prefixed) == NETWORKS[reference]


@pytest.mark.parametrize(
    ("reference", "classes", "dataset"),
    [
        ("cifar_resnet18", 100, "cifar100"),
        ("cifar_resnet18", 7, None),
        ("imagenet_resnet18", 200, "tinyimagenet"),
        ("imagenet_two_stage_resnet18", 7, "folder"),
    ],
)
def test_data_set_follows_from_the_number_of_classes(reference, classes, dataset):
    state_dict = published_weights(reference)
    classifier = "fc" if "fc.bias" in state_dict else "linear"
    state_dict[f"{classifier}.weight"] = np.zeros((classes, 512), np.float32)
    state_dict[f"{classifier}.bias"] = np.zeros(classes, np.float32)
    assert pytorch.infer_network(state_dict)[1] == dataset
    if dataset is None:
        with pytest.raises(
            ValueError, match="`dataset` cannot be inferred: no data set has this number"
        ):
            pytorch.from_state_dict(state_dict)
    elif dataset == "folder":
        assert pytorch.from_state_dict(state_dict).output_shape == (None, 7)
