"""Runs that differ in their seeds alone, as one line of a report: their mean and their spread."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.report.run_data import Contents, LayerWeights, parse_number
from recu_tf import runs
from recu_tf.messages import format_count
from recu_tf.runs.directories import has_run
from recu_tf.training.seed_summary import summarize_values

__all__ = ["Group", "find_groups", "merge"]

SEED = "seed"


class Group(NamedTuple):
    """One or several runs that become one line.

    Attributes:
        path: of the run, or of the directory that the runs lie in.
        runs: in the order of their seeds.
        stage: of several stages, the name of that which these runs are; empty for runs without.
    """

    path: Path
    runs: list[runs.Run]
    stage: str = ""


def find_groups(path: Path) -> list[Group]:
    """What a directory holds: a run, or the runs of `recu train --seeds`, one group for each stage.

    Args:
        path: of a run, or of a directory with runs in seedN, or in seedN/stageM.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: the runs differ in more than their seeds, or one's `config.json` is invalid.
    """
    found: dict[str, list[runs.Run]] = {}
    if not has_run(path):
        # Of a file or nothing, there is nothing inside either.
        seeds = [inside for inside in path.glob(f"{SEED}*") if inside.name[len(SEED) :].isdigit()]
        for seed in sorted(seeds, key=lambda inside: int(inside.name[len(SEED) :])):
            for config in (seed / "config.json", *sorted(seed.glob("stage*/config.json"))):
                if config.exists():
                    stage = "" if config.parent == seed else config.parent.name
                    found.setdefault(stage, []).append(runs.Run.open(config.parent))
    if not found:
        return [Group(path, [runs.Run.open(path)])]
    for group in found.values():
        _check_alike(path, group)
    return [Group(path, group, stage) for stage, group in found.items()]


def _check_alike(path: Path, group: Sequence[runs.Run]) -> None:
    first, *others = [_read_settings(path, run) for run in group]
    differing = sorted(
        {
            name
            for other in others
            for name in first.keys() | other.keys()
            if first.get(name) != other.get(name)
        }
    )
    if differing:
        raise ValueError(
            f"The runs in {path} cannot become one line: they differ in {', '.join(differing)}, "
            "not in their seeds alone. Name them one by one."
        )


def _read_settings(path: Path, run: runs.Run) -> dict[str, str]:
    """The settings of a run but its seed; those that name files of the same seed are the same."""
    own = path / run.path.relative_to(path).parts[0]
    settings = run.config["settings"]
    if not isinstance(settings, dict):
        raise ValueError(f"`settings` in {run.path / 'config.json'} must be an object.")
    return {
        name: json.dumps(value).replace(str(own), "seed directory")
        for name, value in settings.items()
        if name != SEED
    }


def merge(members: Sequence[Contents], path: Path, name: str) -> Contents:
    """The mean of some runs, with the standard deviations of what has one in each epoch.

    Args:
        members: contents of the runs, one or more.
        path: of the directory they lie in.
        name: of the line.

    Returns:
        What a report shows: the epochs that all of them have, of each member as well; and of the
        saved models, whatever their epochs, the means of the weights, the sum of the confusion
        matrices, and the memory of one.
    """
    lines = [{line["epoch"]: line for line in member.epochs} for member in members]
    common = sorted(set.intersection(*map(set, lines)))
    epochs, deviations = [], {}
    for epoch in common:
        of_epoch = [of_member[epoch] for of_member in lines]
        merged: dict = {"epoch": epoch}
        for key in of_epoch[0]:
            values = _list_numbers([line.get(key) for line in of_epoch])
            if key != "epoch" and values:
                summary = summarize_values(values)
                merged[key] = summary["mean"]
                if summary["deviation"] is not None:
                    deviations.setdefault(key, {})[epoch + 1] = summary["deviation"]
        merged["layers"] = _average_layers([line.get("layers") for line in of_epoch])
        epochs.append(merged)
    notes = [f"{member.name}: {note}" for member in members for note in member.notes]
    if any(len(of_member) > len(common) for of_member in lines):
        notes.append(_describe_common(members, len(common)))
    members = [
        replace(member, epochs=[of_member[epoch] for epoch in common])
        for member, of_member in zip(members, lines, strict=True)
    ]
    confusions = [member.confusion for member in members]
    config = _join([member.run.config for member in members])
    return replace(
        members[0],
        # Of the classes, all have the same.
        run=runs.Run(path, {**config, "class_names": members[0].run.config["class_names"]}),
        name=name,
        epochs=epochs,
        # A schedule is the same for all seeds.
        deviations={key: spread for key, spread in deviations.items() if any(spread.values())},
        members=tuple(members),
        weights=_average_weights(members),
        confusion=None if any(counts is None for counts in confusions) else sum(confusions),
        notes=notes,
    )


def _describe_common(members: Sequence[Contents], count: int) -> str:
    """Which epochs are shown of runs that do not have the same."""
    fewest = min(len(member.epochs) for member in members)
    names = ", ".join(member.name for member in members if len(member.epochs) == fewest)
    shown = f"Shown are the {format_count(count, 'epoch')} that all of the seeds have"
    if not count:
        shown = "No epochs are shown, as none is in all of the seeds"
    return (
        f"{shown}; the fewest, {fewest}, has {names}. Weights, confusion matrix and tests are of "
        "the saved models, which may be of other epochs."
    )


def _list_numbers(values: Sequence[object]) -> list[float]:
    """The numbers, if all of the values are finite numbers."""
    numbers = [parse_number(value) for value in values]
    return [] if None in numbers else numbers


def _average_layers(layers: Sequence[object]) -> dict[str, dict[str, float]]:
    if not all(isinstance(of_run, dict) for of_run in layers):
        return {}
    averaged: dict[str, dict[str, float]] = {}
    for name, metrics in layers[0].items():
        kept = [of_run.get(name) for of_run in layers]
        if all(isinstance(of_layer, dict) for of_layer in kept):
            for metric in metrics:
                values = _list_numbers([of_layer.get(metric) for of_layer in kept])
                if values:
                    averaged.setdefault(name, {})[metric] = summarize_values(values)["mean"]
    return averaged


def _average_weights(members: Sequence[Contents]) -> dict[str, LayerWeights]:
    averaged = {}
    for name in members[0].weights:
        kept = [member.weights[name] for member in members if name in member.weights]
        if len(kept) == len(members):
            averaged[name] = LayerWeights(
                np.mean([layer.shares for layer in kept], axis=0),
                float(np.mean([layer.limit for layer in kept])),
                float(np.mean([layer.dead for layer in kept])),
            )
    return averaged


def _join(values: Sequence[object]) -> object:
    """A value that all have, or all their values as words; dictionaries key by key."""
    first = values[0]
    if all(value == first for value in values):
        return first
    if all(isinstance(value, dict) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: _join([value.get(name) for value in values]) for name in names}
    return ", ".join(dict.fromkeys(str(value) for value in values))
