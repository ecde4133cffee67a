import pytest

from experiments.speedrun.activation_gradients import SLOPES
from experiments.speedrun.trial import CHOICES, Trial


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_word_is_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be one of .*, got 'one_cycle'"):
        Trial("wrong", **{name: "one_cycle"})


def test_every_slope_can_be_tried():
    assert set(SLOPES) == set(CHOICES["slope"])


def test_only_what_differs_from_the_published_recipe_is_a_change():
    assert Trial("published", seed=1, epochs=20).changes() == {}
    assert Trial("faster", lr=0.4, l2=5e-4).changes() == {"lr": 0.4}
