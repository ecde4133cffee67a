"""The services that runs can be logged to, one class each, with the same three methods.

Each is given the id of the run to continue, or None for a new one, and has the id of its run. Where
the service is, and the user's key for it, is left to its own environment variables, and so is
working without a network: MLflow writes to the disk unless `MLFLOW_TRACKING_URI` says otherwise,
Weights & Biases with `WANDB_MODE=offline`.
"""

import os
import time
from collections.abc import Mapping
from typing import Literal

__all__ = ["TRACKERS", "Ending"]

PROJECT = "recu_tf"  # that runs are filed under, unless the environment names another

Ending = Literal["finished", "interrupted", "failed"]


class MlflowTracker:
    """A run in MLflow, in the experiment `MLFLOW_EXPERIMENT_NAME`.

    Args:
        name: of the run.
        run_id: of the run to continue; None begins one.
        settings: by name. Those that a run has already cannot be changed in MLflow: where a resumed
            training has others, the tag `changed.NAME` has the new one.

    Raises:
        Exception: MLflow's own, if it has no such run or cannot be reached.
    """

    def __init__(self, name: str, run_id: str | None, settings: Mapping[str, object]):
        import mlflow

        self.client = mlflow.MlflowClient()
        if run_id is None:
            wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
            experiment = self.client.get_experiment_by_name(wanted)
            number = experiment.experiment_id if experiment else None
            number = number or self.client.create_experiment(wanted)
            run_id = self.client.create_run(number, run_name=name).info.run_id
        else:
            self.client.update_run(run_id, status="RUNNING")
        self.run_id = run_id
        kept = self.client.get_run(run_id).data.params
        for key, value in settings.items():
            if key not in kept:
                self.client.log_param(run_id, key, value)
            elif kept[key] != str(value):
                self.client.set_tag(run_id, f"changed.{key}", str(value))

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Sends the numbers of an epoch, counted from 1."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(key, value, now, epoch) for key, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

    def finish(self, ending: Ending, summary: Mapping[str, float]) -> None:
        """Sends what the whole training has reached, and ends the run."""
        for key, value in summary.items():
            self.client.log_metric(self.run_id, key, value)
        statuses = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
        self.client.set_terminated(self.run_id, statuses[ending])


class WandbTracker:
    """A run in Weights & Biases, in the project `WANDB_PROJECT`.

    Args:
        name: of the run.
        run_id: of the run to continue; None begins one.
        settings: by name; those of a resumed training replace those from before.

    Raises:
        Exception: the package's own, if there is no key or no connection.
    """

    def __init__(self, name: str, run_id: str | None, settings: Mapping[str, object]):
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=name,
            id=run_id,
            resume=None if run_id is None else "allow",
            # Standard output stays that of the training alone.
            settings=wandb.Settings(console="off"),
        )
        self.run.config.update(dict(settings), allow_val_change=True)
        self.run_id = self.run.id

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Sends the numbers of an epoch, counted from 1."""
        self.run.log(dict(values), step=epoch)

    def finish(self, ending: Ending, summary: Mapping[str, float]) -> None:
        """Sends what the whole training has reached, and ends the run."""
        self.run.summary.update(dict(summary))
        self.run.finish(exit_code=0 if ending == "finished" else 1)


# By the names of their packages.
TRACKERS = {"mlflow": MlflowTracker, "wandb": WandbTracker}
