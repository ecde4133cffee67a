"""The smallest networks that have all blocks of the published kinds."""

from dataclasses import replace

import pytest

from recu_tf.models import resnet, two_stage, vgg

# Number of blocks and channels: a stage that keeps the size of the image and one that halves it.
SMALL_STAGES = ((1, 8), (1, 16))
SMALL_NETWORKS = {
    "cifar_resnet20": replace(resnet.resnet20, stages=SMALL_STAGES),
    "cifar_resnet18": replace(resnet.resnet18, stages=SMALL_STAGES),
    "imagenet_resnet18": replace(resnet.imagenet_resnet18, stages=SMALL_STAGES),
    "imagenet_two_stage_resnet18": replace(two_stage.two_stage_resnet18, stages=SMALL_STAGES),
    "cifar_vgg_small": vgg.vgg_small,
}
# For tests that take seconds for each: the first in the everyday suite, the others in the slow one.
KINDS = [
    pytest.param(kind, marks=[pytest.mark.slow] if number else [])
    for number, kind in enumerate(SMALL_NETWORKS)
]
