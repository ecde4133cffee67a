"""Making a run directory from a published checkpoint."""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path

from recu_tf import data
from recu_tf.pytorch.checkpoint_file import read_checkpoint
from recu_tf.pytorch.identification import resolve_network
from recu_tf.pytorch.state_dict import from_state_dict
from recu_tf.runs import Run
from recu_tf.runs.finished_run import write_finished_run
from recu_tf.settings import Settings

__all__ = ["import_checkpoint"]


def import_checkpoint(
    checkpoint: str | os.PathLike,
    directory: str | os.PathLike,
    *,
    model: str | None = None,
    dataset: str | None = None,
    data_path: str | None = None,
) -> Run:
    """Creates a run directory from a published checkpoint.

    Its model is both the best and the last model of the run. `imported` in `config.json` keeps the
    file's name, its SHA-256 and the numbers in it, such as `epoch` and `best_prec1`. `settings`
    there are those with which further training would begin; the checkpoint does not hold the
    settings that it was trained with. The optimizer's state (momentum) is not imported.

    Args:
        checkpoint: a file of the published implementation.
        directory: the run directory to create; it appears complete or not at all.
        model: one of `recu_tf.models.MODELS`; inferred if None.
        dataset: one of `recu_tf.data.DATASETS`; inferred if None.
        data_path: where the data set is, for evaluating and exporting.

    Returns:
        The run.

    Raises:
        FileExistsError: the directory is not empty.
        FileNotFoundError, ImportError, ValueError: see `recu_tf.pytorch`.
        OSError: the directory cannot be written, or another process is training in it.
    """
    if not str(directory):
        raise ValueError("`directory` (--out) must name a run directory, got ''.")
    checkpoint = Path(checkpoint)
    directory = Run.check_free(Path(directory).resolve())
    state_dict, metadata = read_checkpoint(checkpoint)
    model, dataset = resolve_network(state_dict, model=model, dataset=dataset)
    network = from_state_dict(state_dict, model=model, dataset=dataset)
    description = data.DATASETS[dataset]
    config = {
        "settings": asdict(Settings(model=model, dataset=dataset, data_path=data_path)),
        "imported": {
            **metadata,
            "file": checkpoint.name,
            "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        },
        "num_classes": network.output_shape[-1],
        "class_names": description.class_names,
        "input_shape": network.input_shape[1:],
        "normalization": asdict(description.normalization),
    }
    return write_finished_run(directory, config, network)
