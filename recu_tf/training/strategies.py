"""Which devices train: one, all of this machine, or those of several processes."""

import os

import tensorflow as tf

from recu_tf import json_text

__all__ = ["WorkerLost", "is_chief", "make_strategy", "several_processes"]


class WorkerLost(Exception):
    """Another process of the training is gone, and nothing more can be added up over all."""

    exit_code = 4


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """A distribution strategy by name.

    Args:
        name: `single`: the first device. `mirrored`: a replica of the network on each visible GPU,
            or on each CPU device where there is none. `multiworker`: on the devices of several
            processes, which the environment variable `TF_CONFIG` lists; to be made before
            TensorFlow does anything else. `auto`: `multiworker` where `TF_CONFIG` is set,
            `mirrored` where two or more GPUs are visible, else `single`.

    Raises:
        ValueError: `multiworker` without `TF_CONFIG`, or one that is not JSON.
    """
    cluster = os.environ.get("TF_CONFIG")
    if cluster and name in ("auto", "multiworker"):
        try:
            json_text.parsed(cluster)
        except ValueError as error:
            raise ValueError(
                f"The environment variable TF_CONFIG must be JSON, got {cluster!r}: {error}"
            ) from None
    if name == "multiworker" and not cluster:
        raise ValueError(
            "`strategy` multiworker needs the environment variable TF_CONFIG, which lists the "
            "workers, and it is not set."
        )
    if name == "multiworker" or (name == "auto" and cluster):
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy(
            [device.name for device in devices],
            # Without NCCL, sums over CPU devices are taken on one of them.
            None if gpus else tf.distribute.ReductionToOneDevice(),
        )
    return tf.distribute.get_strategy()


def several_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take part.

    Args:
        strategy: from `make_strategy`.
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes; there is one among the workers.

    Args:
        strategy: from `make_strategy`.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "worker":
        return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    return resolver.task_type == "chief"
