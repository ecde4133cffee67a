import numpy as np
import tensorflow as tf

from experiments.benchmarks import input_pipeline
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.input_pipeline import OURS, PILLOW
from experiments.benchmarks.photographs import write_photographs


def test_turn_takes_all_images_every_time():
    taken = []

    def make_batches(count):
        batches = input_pipeline.make_cifar_batches(count)
        return batches.map(lambda images, _: tf.py_function(note, [images], tf.int64))

    def note(images):
        taken.append(len(images))
        return len(images)

    take_all = input_pipeline.make_epochs(make_batches, 300)
    take_all()
    take_all()
    assert taken == [256, 44, 256, 44]


def test_both_pipelines_give_as_many_images_of_the_same_shape(tmp_path, monkeypatch):
    write_photographs(tmp_path / "train" / "photograph", 2)
    load, theirs = input_pipeline.load_batch, []
    monkeypatch.setattr(
        input_pipeline, "load_batch", lambda *given: theirs.append(load(*given).shape)
    )
    input_pipeline.make_pillow_epochs(str(tmp_path))()
    ours = [
        tuple(images.shape) for images, _ in input_pipeline.make_photograph_batches(str(tmp_path))
    ]
    assert ours == [(2, 224, 224, 3)] * input_pipeline.PHOTOGRAPH_EPOCHS
    assert theirs == [(2, 3, 224, 224)] * input_pipeline.PHOTOGRAPH_EPOCHS


def test_tables_have_images_per_second(monkeypatch):
    def measure(sides, repeats, **where):
        return {side: np.full(repeats, 500.0) for side in sides}, {}

    monkeypatch.setattr(input_pipeline, "PHOTOGRAPHS", 2)
    monkeypatch.setattr(input_pipeline, "measure_in_workers", measure)
    monkeypatch.setattr(input_pipeline, "run_alone", lambda function, turns: [])
    progress = Progress()
    input_pipeline.measure_input_pipelines(BenchmarkOptions(repeats=2), progress)
    rates, _ = progress.tables
    cifar, _, one_core = rates.rows
    assert cifar.medians == {OURS: 100_000}
    expected = 4 * input_pipeline.PHOTOGRAPH_EPOCHS
    assert one_core.medians == {OURS: expected, PILLOW: expected}
