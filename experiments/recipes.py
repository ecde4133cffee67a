"""The recipes: one for each row of the published results, fast ones, and those of two stages.

The accuracies are those of the published implementation in its best epoch, on the test images.
Source: Xu et al., ReCU, ICCV 2021, and the results listed with its code. Of its two-stage networks,
only the second stage was published; the first has the settings of ReActNet's (Liu et al., ReActNet,
ECCV 2020, and its code).
"""

from dataclasses import dataclass, field

__all__ = ["DATASET_DEFAULTS", "RECIPES", "Recipe", "give_option"]


@dataclass(frozen=True)
class Recipe:
    """Settings that lead to a result.

    Attributes:
        top_1: published accuracy in percent; None if none was published.
        settings: those that differ from the defaults of `recu_tf.settings.Settings`; of a recipe
            with stages, those that the stages share.
        top_5: published accuracy in percent; None if none was published.
        needs: options that the user has to give as well.
        stages: the names of the recipes that it trains one after the other, each of them from the
            weights of the one before.
        note: what else one should know of it.
    """

    top_1: float | None
    settings: dict = field(default_factory=dict)
    top_5: float | None = None
    needs: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    note: str = ""


# The defaults of the published folder for ImageNet that differ from those of the one for CIFAR.
DATASET_DEFAULTS = {
    "imagenet": {
        "epochs": 200,
        "batch_size": 512,
        "batch_size_test": 256,
        "weight_decay": 1e-4,
    }
}

CIFAR10 = {"dataset": "cifar10", "epochs": 600, "batch_size": 256, "warm_up": True}
RESNET20 = {**CIFAR10, "model": "resnet20_1w1a"}
# Found by experiments/speedrun: 20 epochs are too few for the published settings.
FAST = {
    "dataset": "cifar10",
    "epochs": 20,
    "batch_size": 64,
    "optimizer": "muon",
    "lr": 0.1,
    "lr_type": "one_cycle_quadratic",
    "nesterov": True,
    "weight_decay": 1e-3,
    "crop_padding": 2,
}
UNTUNED = "untuned: the settings of cifar10-resnet20-fast"
IMAGENET = {"dataset": "imagenet", **DATASET_DEFAULTS["imagenet"], "warm_up": True}
# ReActNet's first stage: activations are binary, kernels are not.
FIRST_STAGE = {
    "network_precision": "binary_activations",
    "optimizer": "adam",
    "lr": 2.5e-3,
    "lr_type": "linear",
    "weight_decay": 1e-5,
    "warm_up": False,
}
SECOND_STAGE = {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "warm_up": True}
TWO_STAGE = {**IMAGENET, "model": "two_stage_resnet18_1w1a"}


def _recipe(
    common: dict, model: str, top_1: float, top_5: float | None = None, *needs: str
) -> Recipe:
    return Recipe(top_1, {**common, "model": model}, top_5, needs)


def _two_stages(
    name: str, first: dict, second: dict, top_1: float | None, *needs: str
) -> dict[str, Recipe]:
    """A recipe of two stages, and one for each of them, by name."""
    stages = f"{name}-stage1", f"{name}-stage2"
    shared = {key: value for key, value in first.items() if second.get(key) == value}
    return {
        name: Recipe(top_1, shared, None, needs, stages),
        stages[0]: Recipe(None, first, None, needs),
        stages[1]: Recipe(top_1, second, None, ("stage1", *needs)),
    }


RECIPES = {
    "cifar10-resnet18": _recipe(CIFAR10, "resnet18_1w1a", 92.8),
    "cifar10-resnet18-finetune": _recipe(CIFAR10, "resnet18_1w1a", 93.2, None, "init_from"),
    "cifar10-resnet20": _recipe(CIFAR10, "resnet20_1w1a", 87.5),
    "cifar10-resnet20-finetune": _recipe(CIFAR10, "resnet20_1w1a", 88.0, None, "init_from"),
    # SGD as in the recipe of a single stage, whose 600 epochs the two share: with Adam as for
    # ImageNet, 5 + 5 epochs ended 7 points lower.
    **_two_stages(
        "cifar10-resnet20-two-stage",
        {**RESNET20, "network_precision": "binary_activations", "epochs": 200},
        {**RESNET20, "epochs": 400},
        None,
    ),
    "cifar10-resnet20-fast": Recipe(None, {**FAST, "model": "resnet20_1w1a"}),
    "cifar10-resnet18-fast": Recipe(None, {**FAST, "model": "resnet18_1w1a"}, note=UNTUNED),
    "cifar10-vgg-small-fast": Recipe(None, {**FAST, "model": "vgg_small_1w1a"}, note=UNTUNED),
    "cifar10-vgg-small": _recipe(CIFAR10, "vgg_small_1w1a", 92.2),
    "cifar10-vgg-small-finetune": _recipe(CIFAR10, "vgg_small_1w1a", 93.3, None, "init_from"),
    "imagenet-resnet18": _recipe(IMAGENET, "resnet18_1w1a", 60.98, 82.57),
    "imagenet-resnet18-finetune": _recipe(IMAGENET, "resnet18_1w1a", 61.20, 82.93, "init_from"),
    "imagenet-resnet34": _recipe(IMAGENET, "resnet34_1w1a", 65.10, 85.78),
    "imagenet-resnet34-finetune": _recipe(IMAGENET, "resnet34_1w1a", 65.25, 85.98, "init_from"),
    **_two_stages(
        "imagenet-two-stage-resnet18",
        {**TWO_STAGE, **FIRST_STAGE, "epochs": 128},
        {**TWO_STAGE, **SECOND_STAGE, "epochs": 256},
        66.4,
        "teacher",
    ),
}


def give_option(name: str, value: object) -> list[str]:
    """The words of a command that give an option a value."""
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, tuple | list):
        return [f"--{name}", *map(str, value)]
    return [f"--{name}", str(value)]
