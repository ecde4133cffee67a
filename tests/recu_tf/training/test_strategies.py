import json

import pytest
import tensorflow as tf

from recu_tf.training import strategies


@pytest.mark.parametrize(("name", "replicas"), [("single", 1), ("auto", 1), ("mirrored", 2)])
def test_name_of_a_strategy_decides_its_devices(name, replicas):
    # There are two virtual CPU devices here, and no GPU.
    strategy = strategies.make_strategy(name)
    assert strategy.num_replicas_in_sync == replicas
    assert strategies.is_chief(strategy)
    assert not strategies.has_several_processes(strategy)


def test_multiworker_without_a_cluster_is_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=r"`strategy` multiworker needs .* TF_CONFIG"):
        strategies.make_strategy("multiworker")


@pytest.mark.parametrize(
    ("jobs", "task", "chief"),
    [
        ({"worker": 2}, ("worker", 0), True),
        ({"worker": 2}, ("worker", 1), False),
        ({"chief": 1, "worker": 1}, ("chief", 0), True),
        ({"chief": 1, "worker": 1}, ("worker", 0), False),
    ],
)
def test_one_process_is_the_chief(jobs, task, chief, monkeypatch):
    cluster = {name: [f"localhost:{n}" for n in range(count)] for name, count in jobs.items()}
    config = {"cluster": cluster, "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    strategy = type("Strategy", (), {"cluster_resolver": resolver})()
    assert strategies.is_chief(strategy) is chief
