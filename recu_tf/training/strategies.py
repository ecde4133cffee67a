"""Which devices train: one device, all of this machine, or those of several processes."""

import os

import tensorflow as tf

from recu_tf import json_text

__all__ = ["has_several_processes", "is_chief", "make_strategy"]


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Makes a distribution strategy from its name.

    Args:
        name: `single`: the first device. `mirrored`: a replica of the network on each visible GPU,
            or on each CPU device if there is none. `multiworker`: the devices of several
            processes, which the environment variable `TF_CONFIG` lists; it has to be made before
            TensorFlow does anything else. `auto`: `multiworker` if `TF_CONFIG` is set, `mirrored`
            if two or more GPUs are visible, else `single`.

    Raises:
        ValueError: `multiworker` without `TF_CONFIG`, or `TF_CONFIG` is not JSON.
    """
    cluster = os.environ.get("TF_CONFIG")
    if cluster and name in ("auto", "multiworker"):
        try:
            json_text.parse(cluster)
        except ValueError as error:
            raise ValueError(
                f"The environment variable TF_CONFIG must be JSON, got {cluster!r}: {error}"
            ) from None
    if name == "multiworker" and not cluster:
        raise ValueError(
            "`strategy` multiworker needs the environment variable TF_CONFIG, which lists the "
            "workers, but it is not set."
        )
    if name == "multiworker" or (name == "auto" and cluster):
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy(
            [device.name for device in devices],
            # Without NCCL, one of the CPU devices computes the sums over all.
            None if gpus else tf.distribute.ReductionToOneDevice(),
        )
    return tf.distribute.get_strategy()


def has_several_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes train together with this one.

    Args:
        strategy: from `make_strategy`.
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the chief, the only worker that writes files.

    Args:
        strategy: from `make_strategy`.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "worker":
        return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    return resolver.task_type == "chief"
