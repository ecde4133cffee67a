from recu_tf import choices, data, models


def test_every_network_and_data_set_that_can_be_chosen_is_there():
    assert {*models.CIFAR_NETWORKS, *models.IMAGENET_NETWORKS} == {*choices.MODELS}
    assert {*models.get_networks("imagenet")} == {*models.IMAGENET_NETWORKS, *choices.ZOO_MODELS}
    assert {*models.get_networks("digits")} < {*models.CIFAR_NETWORKS, *choices.ZOO_MODELS}
    assert {*choices.ZOO_ALIASES.values()} < {*choices.ZOO_NETWORKS}
    assert tuple(data.DATASETS) == choices.DATASETS
    assert tuple(models.DATASET_CLASSES) == (*choices.DATASETS, choices.OWN)
