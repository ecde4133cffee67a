import pytest

from experiments.speedrun.activation_gradients import SLOPES
from experiments.speedrun.trial import CHOICES, Trial


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_word_is_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be one of .*, got 'one_cycle'"):
        Trial("wrong", **{name: "one_cycle"})


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_mean_teacher_that_would_never_or_always_stand_still_is_refused(share):
    with pytest.raises(
        ValueError, match=f"`mean_teacher` must be above 0 and below 1, got {share}"
    ):
        Trial("wrong", mean_teacher=share)


def test_mean_teacher_has_no_first_stage():
    with pytest.raises(ValueError, match="`mean_teacher` must be None with a first stage"):
        Trial("wrong", mean_teacher=0.9, first_stage="float")


def test_teachers_of_the_training_itself_need_no_other():
    assert Trial("taught", distill_weight=0.5).needs_teacher
    assert not Trial("mean", distill_weight=0.5, mean_teacher=0.9).needs_teacher


def test_every_slope_can_be_tried():
    assert set(SLOPES) == set(CHOICES["slope"])


def test_only_what_differs_from_the_published_recipe_is_a_change():
    assert Trial("published", seed=1, epochs=20).changes() == {}
    assert Trial("faster", lr=0.4, l2=5e-4).changes() == {"lr": 0.4}
