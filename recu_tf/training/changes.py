"""What a resumed training changes in its run: reported to the user and kept in `config.json`."""

from dataclasses import asdict

from recu_tf import runs, schedules
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings

__all__ = ["SCHEDULE_SETTINGS", "record_changes"]

# The settings that decide the schedules of the remaining epochs. Resuming may change them.
SCHEDULE_SETTINGS = ("epochs", "lr", "lr_decay_step")


def record_changes(
    run: runs.Run, settings: Settings, checkpoint: Checkpoint | None, replicas: int
) -> list[str]:
    """Writes the present settings of a run to its `config.json`, and what they change from when.

    If epochs are left to train, `changes` in `config.json` gets an entry for new schedules and for
    a new number of replicas: the `epoch` and `step` that come next, both counted from 0, and by
    name the values before and after.

    Args:
        run: that is resumed or has just been created.
        settings: of the training from now on.
        checkpoint: that the training resumes from; None at its beginning.
        replicas: the number that trains from now on.

    Returns:
        Up to two lines for the user: about new schedules, and about batch norms that compute their
        statistics over another number of images.
    """
    previous = Settings.of_run(run)
    epoch, step = settings.start_epoch, 0
    if checkpoint is not None:
        epoch, step = checkpoint.epoch, checkpoint.step
    config = {**run.config, "settings": asdict(settings)}
    lines = []
    if epoch < settings.epochs:
        changes = {
            name: [getattr(previous, name), getattr(settings, name)]
            for name in settings.differences(previous)
            if name in SCHEDULE_SETTINGS
        }
        if changes:
            lines.append(_describe_schedules(previous, settings, changes, epoch))
        replicas_before = run.config.get("replicas", replicas)  # older runs did not keep it
        if replicas != replicas_before:
            changes["replicas"] = [replicas_before, replicas]
            if not settings.sync_batch_norm:
                lines.append(
                    _describe_statistics(settings.batch_size, replicas_before, replicas, epoch)
                )
        config["replicas"] = replicas
        if changes:
            entry = {"epoch": epoch, "step": step, **changes}
            config["changes"] = [*run.config.get("changes", []), entry]
    same_replicas = config.get("replicas") == run.config.get("replicas")
    if not (settings == previous and same_replicas):
        run.config = config
        run.write_config()
    return lines


def _describe_values(settings: Settings, epoch: int) -> str:
    rate = schedules.learning_rate(epoch, settings.epochs, **settings.learning_rate_schedule)
    tau = schedules.exponential_tau(
        epoch, settings.epochs, tau_min=settings.tau_min, tau_max=settings.tau_max
    )
    return f"lr {rate:.4g} and tau {tau:.4g}"


def _describe_schedules(previous: Settings, settings: Settings, changes: dict, epoch: int) -> str:
    """Learning rate and tau in an epoch, counted from 0, in the last one, and in the one before."""
    changed = ", ".join(f"{name} {now} instead of {was}" for name, (was, now) in changes.items())
    now = ", ".join(
        f"{_describe_values(settings, number)} in epoch {number + 1}"
        for number in sorted({epoch, settings.epochs - 1})
    )
    before = ""
    if epoch > previous.start_epoch:
        before = f"; epoch {epoch} had {_describe_values(previous, epoch - 1)}"
    return f"New schedules from epoch {epoch + 1} ({changed}): {now}{before}."


def _describe_statistics(batch_size: int, before: int, replicas: int, epoch: int) -> str:
    return (
        f"From epoch {epoch + 1}, {replicas} devices train instead of {before}: each batch norm "
        f"computes its statistics over {-(-batch_size // replicas)} images instead of "
        f"{-(-batch_size // before)}, so the weights will differ from a training on {before}."
    )
