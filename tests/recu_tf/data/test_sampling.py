import pytest
import tensorflow as tf

from recu_tf.data.sampling import Order, steps_of_epoch


def rows(order):
    """(step, first row, end row, images of the part) of everything that an order gives."""

    def epoch_batches(epoch, skipped):
        return tf.data.Dataset.from_tensor_slices(order.shuffled(epoch)[skipped:])

    return [
        (step, begin, end, batch[begin:end].tolist())
        for step, begin, end, batch in order.batches(epoch_batches).as_numpy_iterator()
    ]


def test_an_epoch_has_every_image_once_in_an_order_of_its_own():
    got = rows(Order(10, 4, 2, seed=0))
    assert [step for step, *_ in got] == [0, 1, 2, 3, 4, 5]
    assert [end - begin for _, begin, end, _ in got] == [4, 4, 2, 4, 4, 2]
    first, second = ([image for *_, images in got[i : i + 3] for image in images] for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("first_step", [0, 1, 2, 3, 7, 8, 9])
def test_a_later_begin_gives_the_rest(first_step):
    whole = rows(Order(10, 4, 3, seed=5))
    assert rows(Order(10, 4, 3, seed=5, first_step=first_step)) == whole[first_step:]


def test_parts_make_up_the_batch():
    whole = rows(Order(11, 4, 1, seed=1))
    for own in ((0, 1, 2), (0, 2), (1,)):
        parts = rows(Order(11, 4, 1, seed=1, parts=3, own_parts=own))
        assert [step for step, *_ in parts] == [step for step, *_ in whole for _ in own]
        for step, begin, end, images in parts:
            assert images == whole[step][3][begin:end]
            assert 1 <= end - begin <= 2
    everything = rows(Order(11, 4, 1, seed=1, parts=3, own_parts=(0, 1, 2)))
    for step in range(3):
        together = [image for at, *_, images in everything if at == step for image in images]
        assert together == whole[step][3]


def test_a_last_batch_too_small_for_its_parts_is_left_out():
    assert steps_of_epoch(10, 4) == steps_of_epoch(10, 4, parts=2) == 3
    assert steps_of_epoch(10, 4, parts=3) == steps_of_epoch(8, 4) == 2
    assert steps_of_epoch(3, 256) == 1
    got = rows(Order(10, 4, 2, seed=0, parts=3, own_parts=(1,)))
    assert [step for step, *_ in got] == [0, 1, 2, 3]


def test_what_cannot_be_given_is_refused():
    with pytest.raises(ValueError, match=r"an image for each of 3 parts, got batches of 2 images"):
        steps_of_epoch(10, 2, parts=3)
    with pytest.raises(ValueError, match=r"`batch_size` must be at least 1 .* batches of 0 im"):
        steps_of_epoch(10, 0)
    for own_parts in ((), (2,), (1, 0), (0, 0)):
        with pytest.raises(
            ValueError, match=r"`own_parts` must be some of 0 \.\.\. 1 in ascending"
        ):
            Order(10, 4, 1, 0, parts=2, own_parts=own_parts)
    with pytest.raises(ValueError, match="`first_step` must be at least 0, got -1"):
        Order(10, 4, 1, 0, first_step=-1)
