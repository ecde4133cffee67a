"""Tests of functions that are compiled for a machine without TensorFlow."""

import json

import pytest
import tensorflow as tf

from experiments.jax_training.compiled_function import compile_function

ONE = [tf.TensorSpec([2], tf.float32)]


def test_variables_that_a_function_reads_and_changes_are_told_apart():
    kept, changed, counter = tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0]), tf.Variable(0)

    def step(x):
        counter.assign_add(1)
        changed.assign_add(kept * x)
        return tf.reduce_sum(changed), x

    compiled = compile_function(step, ONE)
    updated = {compiled.variables[index].ref() for index in compiled.updates}
    assert {variable.ref() for variable in compiled.variables} == {
        kept.ref(),
        changed.ref(),
        counter.ref(),
    }
    assert updated == {changed.ref(), counter.ref()}
    assert [list(result.shape) for result in compiled.results] == [[], [2]]
    assert changed.numpy().tolist() == [0, 0], "it was run"


def test_the_files_name_arguments_results_and_variables(tmp_path):
    weight = tf.Variable([1.0, 2.0])
    compile_function(lambda x: x * weight, ONE).write(tmp_path / "double", ["weight"])
    described = json.loads((tmp_path / "double.json").read_text())
    assert described == {
        "arguments": [[[2], "float32"]],
        "results": [[[2], "float32"]],
        "variables": ["weight"],
        "updates": [],
    }
    assert (tmp_path / "double.hlo").stat().st_size > 0


def test_a_tensor_from_outside_is_refused():
    outside = tf.constant([1.0, 2.0]) * 2
    with pytest.raises(ValueError, match="`function` must use its arguments and variables alone"):
        compile_function(lambda x: x * outside, ONE)
