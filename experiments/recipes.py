"""The published recipes, one for each row of the published results.

The accuracies are those of the published implementation in its best epoch, on the test images.
Source: Xu et al., ReCU, ICCV 2021, and the results listed with its code.
"""

from dataclasses import dataclass, field

__all__ = ["DATASET_DEFAULTS", "RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Settings that lead to a published result.

    Attributes:
        top_1: published accuracy in percent.
        settings: those that differ from the defaults of `recu_tf.settings.Settings`.
        top_5: published accuracy in percent; None if none was published.
        needs: options that the user has to give as well.
    """

    top_1: float
    settings: dict = field(default_factory=dict)
    top_5: float | None = None
    needs: tuple[str, ...] = ()


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
IMAGENET = {"dataset": "imagenet", **DATASET_DEFAULTS["imagenet"], "warm_up": True}
SECOND_STAGE = {
    **IMAGENET,
    "epochs": 256,
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
}


def _recipe(
    common: dict, model: str, top_1: float, top_5: float | None = None, *needs: str
) -> Recipe:
    return Recipe(top_1, {**common, "model": model}, top_5, needs)


RECIPES = {
    "cifar10-resnet18": _recipe(CIFAR10, "resnet18_1w1a", 92.8),
    "cifar10-resnet18-finetune": _recipe(CIFAR10, "resnet18_1w1a", 93.2, None, "init_from"),
    "cifar10-resnet20": _recipe(CIFAR10, "resnet20_1w1a", 87.5),
    "cifar10-resnet20-finetune": _recipe(CIFAR10, "resnet20_1w1a", 88.0, None, "init_from"),
    "cifar10-vgg-small": _recipe(CIFAR10, "vgg_small_1w1a", 92.2),
    "cifar10-vgg-small-finetune": _recipe(CIFAR10, "vgg_small_1w1a", 93.3, None, "init_from"),
    "imagenet-resnet18": _recipe(IMAGENET, "resnet18_1w1a", 60.98, 82.57),
    "imagenet-resnet18-finetune": _recipe(IMAGENET, "resnet18_1w1a", 61.20, 82.93, "init_from"),
    "imagenet-resnet34": _recipe(IMAGENET, "resnet34_1w1a", 65.10, 85.78),
    "imagenet-resnet34-finetune": _recipe(IMAGENET, "resnet34_1w1a", 65.25, 85.98, "init_from"),
    # The second of two stages: starts from the weights of the first stage (binary activations, real
    # weights) and learns from a full-precision ResNet-34.
    "imagenet-two-stage-resnet18": _recipe(
        SECOND_STAGE, "two_stage_resnet18_1w1a", 66.4, None, "init_from", "teacher"
    ),
}
