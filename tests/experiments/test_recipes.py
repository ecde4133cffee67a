import pytest

from experiments.recipes import RECIPES
from recu_tf import models
from recu_tf.settings import Settings


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_makes_settings_of_a_network_that_its_data_set_has(name):
    recipe = RECIPES[name]
    teacher = {"teacher": "teacher.keras"} if "teacher" in recipe.needs else {}
    settings = Settings(**recipe.settings, **teacher)
    classes = models.DATASET_CLASSES[settings.dataset]
    small = settings.dataset == "cifar10"
    assert settings.model in (models.CIFAR_NETWORKS if small else models.IMAGENET_NETWORKS)
    assert classes == (10 if small else 1000)
    assert settings.warm_up
    assert settings.weight_decay == (5e-4 if small else 0.0 if teacher else 1e-4)
    assert 87 < recipe.top_1 < 94 if small else 60 < recipe.top_1 < 67


def test_there_is_one_for_each_published_row():
    assert len(RECIPES) == 11
    assert sum("init_from" in recipe.needs for recipe in RECIPES.values()) == 6
