import json
from pathlib import Path

import pytest

from experiments.recipes import RECIPES, give_option
from recu_tf import models
from recu_tf.settings import Settings

FAST = {name: recipe for name, recipe in RECIPES.items() if name.endswith("-fast")}
SINGLE = {
    name: recipe for name, recipe in RECIPES.items() if "two-stage" not in name and name not in FAST
}
STAGES = [recipe.stages for recipe in RECIPES.values() if recipe.stages]


def make_settings(recipe):
    teacher = {"teacher": "teacher.keras"} if "teacher" in recipe.needs else {}
    return Settings(**recipe.settings, **teacher)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1, ["--option", "0.1"]),
        (True, ["--option"]),
        (False, ["--no-option"]),
        ((1, 2), ["--option", "1", "2"]),
    ],
)
def test_value_of_an_option_is_given_in_words(value, words):
    assert give_option("option", value) == words


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_makes_settings_of_a_network_that_its_data_set_has(name):
    settings = make_settings(RECIPES[name])
    small = settings.dataset == "cifar10"
    assert settings.model in (models.CIFAR_NETWORKS if small else models.IMAGENET_NETWORKS)
    assert models.DATASET_CLASSES[settings.dataset] == (10 if small else 1000)


@pytest.mark.parametrize("name", SINGLE)
def test_single_stage_is_as_published(name):
    settings, top_1 = make_settings(SINGLE[name]), SINGLE[name].top_1
    small = settings.dataset == "cifar10"
    assert settings.warm_up
    assert settings.weight_decay == (5e-4 if small else 1e-4)
    assert 87 < top_1 < 94 if small else 60 < top_1 < 66


@pytest.mark.parametrize("names", STAGES)
def test_stages_follow_each_other(names):
    first, second = (make_settings(RECIPES[name]) for name in names)
    assert (first.network_precision, second.network_precision) == ("binary_activations", "binary")
    assert second.epochs == 2 * first.epochs
    assert (second.tau_min, second.tau_max) == (0.85, 0.99)
    assert (first.model, first.dataset) == (second.model, second.dataset)
    assert "stage1" in RECIPES[names[1]].needs


def test_stages_for_cifar_share_the_epochs_of_a_single_one():
    recipe = RECIPES["cifar10-resnet20-two-stage"]
    single = RECIPES["cifar10-resnet20"].settings
    stages = [RECIPES[name].settings for name in recipe.stages]
    assert sum(stage["epochs"] for stage in stages) == single["epochs"]
    assert {**stages[1], "epochs": 600} == single


def test_stages_for_imagenet_learn_from_a_teacher():
    recipe = RECIPES["imagenet-two-stage-resnet18"]
    first, second = (make_settings(RECIPES[name]) for name in recipe.stages)
    assert (first.epochs, second.epochs) == (128, 256)
    assert {first.batch_size, second.batch_size} == {512}
    assert {first.optimizer, second.optimizer} == {"adam"}
    assert (first.lr, first.lr_type, first.weight_decay) == (2.5e-3, "linear", 1e-5)
    assert (second.lr, second.lr_type, second.weight_decay) == (1e-3, "cos", 0)
    assert (first.warm_up, second.warm_up) == (False, True)
    assert all("teacher" in RECIPES[name].needs for name in recipe.stages)
    assert recipe.top_1 == 66.4


def test_fast_recipes_differ_in_their_network_alone():
    common = [{**recipe.settings, "model": None} for recipe in FAST.values()]
    assert common == [common[0]] * 3
    tuned, *others = FAST.values()
    assert tuned.settings["model"] == "resnet20_1w1a"
    assert not tuned.note
    assert all("untuned" in recipe.note for recipe in others)


def test_tuned_fast_recipe_has_the_settings_of_the_run_that_is_kept():
    run = Path(__file__).parents[2] / "experiments" / "results" / "cifar10-resnet20-fast"
    trained = json.loads((run / "config.json").read_text())["settings"]
    recipe = FAST["cifar10-resnet20-fast"].settings
    assert Settings(**recipe, data_path=trained["data_path"]) == Settings.of_config(trained)


@pytest.mark.parametrize("name", FAST)
def test_fast_recipe_stands_beside_the_published_one_of_its_network(name):
    published = RECIPES[name.removesuffix("-fast")]
    fast = make_settings(FAST[name])
    assert fast.model == published.settings["model"]
    assert fast.epochs <= published.settings["epochs"] / 3


def test_there_is_one_for_each_published_row():
    assert len(SINGLE) == 10
    assert sum("init_from" in recipe.needs for recipe in SINGLE.values()) == 5
    assert len(STAGES) == 2
