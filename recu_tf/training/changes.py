"""What a resumed training changes of its run: said, and kept in `config.json`."""

from dataclasses import asdict

from recu_tf import runs, schedules
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings

__all__ = ["RESTATED", "keep_changes"]

# What decides the schedules of the epochs to come, and may change.
RESTATED = ("epochs", "lr", "lr_decay_step")


def keep_changes(
    run: runs.Run, settings: Settings, checkpoint: Checkpoint | None, replicas: int
) -> list[str]:
    """Has a run remember its settings as they are now, and since when.

    Where epochs are left to train, `changes` in `config.json` gets an entry for other schedules and
    another number of replicas: `epoch` and `step` that come next, both from 0, and by name the
    values before and after.

    Args:
        run: that is resumed, or has just begun.
        settings: of the training from now on.
        checkpoint: that it resumes from; None at its beginning.
        replicas: that train from now on.

    Returns:
        A line about other schedules, and one about other statistics in batch norms; none where
        nothing of that has changed.
    """
    kept = Settings.of_run(run)
    epoch, step = settings.start_epoch, 0
    if checkpoint is not None:
        epoch, step = checkpoint.epoch, checkpoint.step
    config = {**run.config, "settings": asdict(settings)}
    lines = []
    if epoch < settings.epochs:
        changes = {
            name: [getattr(kept, name), getattr(settings, name)]
            for name in settings.differences(kept)
            if name in RESTATED
        }
        if changes:
            lines.append(_schedules_line(kept, settings, changes, epoch))
        before = run.config.get("replicas", replicas)  # older runs do not know
        if replicas != before:
            changes["replicas"] = [before, replicas]
            if not settings.sync_batch_norm:
                lines.append(_statistics_line(settings.batch_size, before, replicas, epoch))
        config["replicas"] = replicas
        if changes:
            entry = {"epoch": epoch, "step": step, **changes}
            config["changes"] = [*run.config.get("changes", []), entry]
    same_replicas = config.get("replicas") == run.config.get("replicas")
    if not (settings == kept and same_replicas):
        run.config = config
        run.write_config()
    return lines


def _schedules_line(kept: Settings, settings: Settings, changes: dict, epoch: int) -> str:
    """What becomes of the learning rate and of tau from an epoch, counted from 0, to the last."""

    def values(of: Settings, at: int) -> str:
        rate = schedules.learning_rate(at, of.epochs, **of.learning_rate_schedule)
        tau = schedules.exponential_tau(at, of.epochs, of.tau_min, of.tau_max)
        return f"lr {rate:.4g} and tau {tau:.4g}"

    changed = ", ".join(f"{name} {now} instead of {was}" for name, (was, now) in changes.items())
    told = [
        f"{values(settings, at)} in epoch {at + 1}" for at in sorted({epoch, settings.epochs - 1})
    ]
    before = f"; epoch {epoch} had {values(kept, epoch - 1)}" if epoch > kept.start_epoch else ""
    return f"Other schedules from epoch {epoch + 1} on ({changed}): {', '.join(told)}{before}."


def _statistics_line(batch_size: int, before: int, replicas: int, epoch: int) -> str:
    return (
        f"From epoch {epoch + 1} on, {replicas} devices train instead of {before}: each batch norm "
        f"takes its statistics from {-(-batch_size // replicas)} images instead of "
        f"{-(-batch_size // before)}, so the weights become others than on {before}."
    )
