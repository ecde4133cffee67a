"""From a published checkpoint to a run directory."""

import hashlib
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from recu_tf import data
from recu_tf.pytorch.checkpoint import from_state_dict, read_checkpoint, told_or_guessed
from recu_tf.runs import WHICH, Run
from recu_tf.settings import Settings

__all__ = ["import_checkpoint"]


def import_checkpoint(
    checkpoint: str | os.PathLike,
    directory: str | os.PathLike,
    model: str | None = None,
    dataset: str | None = None,
    data_path: str | None = None,
) -> Run:
    """Makes a run directory of a published checkpoint.

    Its model is both the best and the last of the run. `imported` in `config.json` keeps the
    file's name and SHA-256 and the numbers in it, `epoch` and `best_prec1` among them; `settings`
    there are those with which a training would go on, not those of the checkpoint, which does not
    tell them. The optimizer's state (momentum) is not taken over.

    Args:
        checkpoint: a file of the published implementation.
        directory: the run directory to make, whole or not at all.
        model: one of `recu_tf.models.MODELS`; guessed if None.
        dataset: one of `recu_tf.data.DATASETS`; guessed if None.
        data_path: where the data set lies, for evaluating and exporting.

    Returns:
        The run.

    Raises:
        FileExistsError: the directory already holds something.
        FileNotFoundError, ImportError, ValueError: see `recu_tf.pytorch`.
        OSError: the directory cannot be written.
    """
    if not str(directory):
        raise ValueError("`directory` (--out) must name a run directory, got ''.")
    directory = Run.check_free(Path(directory).resolve())
    state_dict, metadata = read_checkpoint(checkpoint)
    model, dataset = told_or_guessed(state_dict, model, dataset)
    network = from_state_dict(state_dict, model, dataset)
    settings = Settings(model=model, dataset=dataset, data_path=data_path)
    described = data.DATASETS[dataset]
    checkpoint = Path(checkpoint)
    config = {
        "settings": asdict(settings),
        "imported": {
            **metadata,
            "file": checkpoint.name,
            "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        },
        "num_classes": network.output_shape[-1],
        "class_names": described.class_names,
        "input_shape": network.input_shape[1:],
        "normalization": asdict(described.normalization),
    }
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"The run directory {directory} cannot be made: {error.strerror}") from error
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".import") as aside:
        run = Run.create(Path(aside) / "run", config)
        for which in WHICH:
            run.save_model(network, which)
        os.replace(run.path, directory)
    return Run.open(directory)
