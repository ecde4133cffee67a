import pytest

from recu_tf.data.sampling import Sampler, count_steps


def rows(sampler):
    """(step, first row, end row, images of the shard) of everything that a sampler gives."""
    return [
        (step, begin, end, batch[begin:end].tolist())
        for step, begin, end, batch in sampler.make_batches(sampler.make_rows).as_numpy_iterator()
    ]


def test_an_epoch_has_every_image_once_in_an_order_of_its_own():
    got = rows(Sampler(10, 4, 2, seed=0))
    assert [step for step, *_ in got] == [0, 1, 2, 3, 4, 5]
    assert [end - begin for _, begin, end, _ in got] == [4, 4, 2, 4, 4, 2]
    first, second = ([image for *_, images in got[i : i + 3] for image in images] for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("first_step", [0, 1, 2, 3, 7, 8, 9])
def test_a_later_begin_gives_the_rest(first_step):
    whole = rows(Sampler(10, 4, 3, seed=5))
    assert rows(Sampler(10, 4, 3, seed=5, first_step=first_step)) == whole[first_step:]


def test_shards_make_up_the_batch():
    whole = rows(Sampler(11, 4, 1, seed=1))
    for own in ((0, 1, 2), (0, 2), (1,)):
        shards = rows(Sampler(11, 4, 1, seed=1, shards=3, own_shards=own))
        assert [step for step, *_ in shards] == [step for step, *_ in whole for _ in own]
        for step, begin, end, images in shards:
            assert images == whole[step][3][begin:end]
            assert 1 <= end - begin <= 2
    everything = rows(Sampler(11, 4, 1, seed=1, shards=3, own_shards=(0, 1, 2)))
    for step in range(3):
        together = [image for at, *_, images in everything if at == step for image in images]
        assert together == whole[step][3]


def test_a_last_batch_too_small_for_its_shards_is_left_out():
    assert count_steps(10, 4) == count_steps(10, 4, shards=2) == 3
    assert count_steps(10, 4, shards=3) == count_steps(8, 4) == 2
    assert count_steps(3, 256) == 1
    got = rows(Sampler(10, 4, 2, seed=0, shards=3, own_shards=(1,)))
    assert [step for step, *_ in got] == [0, 1, 2, 3]


def test_what_cannot_be_given_is_refused():
    with pytest.raises(ValueError, match=r"an image for each of 3 shards, got batches of 2 images"):
        count_steps(10, 2, shards=3)
    with pytest.raises(ValueError, match=r"`batch_size` must be at least 1 .* batches of 0 im"):
        count_steps(10, 0)
    for own_shards in ((), (2,), (1, 0), (0, 0)):
        with pytest.raises(
            ValueError, match=r"`own_shards` must be some of 0 \.\.\. 1 in ascending"
        ):
            Sampler(10, 4, 1, 0, shards=2, own_shards=own_shards)
    with pytest.raises(ValueError, match="`first_step` must be at least 0, got -1"):
        Sampler(10, 4, 1, 0, first_step=-1)
