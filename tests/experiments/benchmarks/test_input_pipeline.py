import numpy as np
import tensorflow as tf

from experiments.benchmarks import input_pipeline
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.input_pipeline import OURS, PILLOW
from experiments.benchmarks.photographs import write_photographs


def test_epoch_takes_all_images_every_time():
    taken = []

    def make_batches(count):
        batches = input_pipeline.make_cifar_batches(count)
        return batches.map(lambda images, _: tf.py_function(note, [images], tf.int64))

    def note(images):
        taken.append(len(images))
        return len(images)

    epoch = input_pipeline.make_epoch(make_batches, 300)
    epoch()
    epoch()
    assert taken == [256, 44, 256, 44]


def test_both_pipelines_give_images_of_the_same_shape(tmp_path, monkeypatch):
    write_photographs(tmp_path / "train" / "photograph", 2)
    (ours, _), *others = input_pipeline.make_photograph_batches(str(tmp_path))
    theirs = input_pipeline.make_pillow_batch(str(tmp_path))()
    assert not others
    assert ours.shape == (2, 224, 224, 3)
    assert theirs.shape == (2, 3, 224, 224)


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
    assert one_core.medians == {OURS: 4, PILLOW: 4}
