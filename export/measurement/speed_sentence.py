"""One sentence: how many times as fast as float32 a binary file is, and why if it is not."""

from collections import defaultdict
from collections.abc import Sequence

from export import runtime
from export.measurement.comparison import (
    Breakdown,
    SubgraphLatency,
    break_down,
    format_number,
)
from export.measurement.delegate_profile import DelegateProfile, Part
from export.measurement.latency import Latency
from export.measurement.profiling import profile_delegate
from export.measurement.subgraphs import count_multiply_accumulates
from export.tflite.backends import split_delegate
from export.tflite.file import File
from recu_tf.messages import format_count

__all__ = [
    "compare_with_float",
    "explain",
    "explain_by_profile",
    "write_sentence",
]

# The largest parts are named until so much of the time is.
NAMED = 0.6
NOT_MEASURED = "and why was not measured."
MISSING = "the delegate, which may run it faster, is missing here"


def write_sentence(
    name: str, binary: Latency, baseline: Latency, reasons: Sequence[str] = ()
) -> str:
    """Says how many times as fast as its float32 baseline a binary file is.

    Args:
        name: of the file, as the sentence is to begin.
        binary: its latency with its fastest backend.
        baseline: latency of the float32 baseline with its fastest backend, on as many threads.
        reasons: why the file is not faster; they are left out where it is.
    """
    speedup = baseline.median_ms / binary.median_ms
    threads = format_count(binary.threads, "thread")
    sentence = (
        f"{name} is {format_number(speedup)} times as fast as {baseline.name} here on {threads}: "
        f"{format_number(binary.median_ms)} ms ({binary.backend}) against "
        f"{format_number(baseline.median_ms)} ms ({baseline.backend})"
    )
    if speedup >= 1:
        return f"{sentence}."
    return f"{sentence}, " + (f"because {'; '.join(reasons)}." if reasons else NOT_MEASURED)


def explain_by_profile(profile: DelegateProfile, other: SubgraphLatency) -> list[str]:
    """Says what a file that runs with the delegate spends most of its time on.

    Args:
        profile: of the file.
        other: the file that it is compared with, as a whole.
    """
    reasons, named = [], 0.0
    for group in sorted(profile.groups, key=lambda group: -group.microseconds):
        if named >= NAMED:
            break
        named += profile.share(group)
        detail = _describe_group(profile, group, other)
        reasons.append(f"{profile.share(group):.0%} of its time goes into {group.name}{detail}")
    return reasons


def _describe_group(profile: DelegateProfile, group: Part, other: SubgraphLatency) -> str:
    groups = profile.groups
    if group == groups.binary:
        cycles = profile.clock or 1
        limit = profile.share_of_limit(group)
        of_limit = "" if limit is None else f", {limit:.0%} of what {profile.backend} could do"
        return (
            f", which do {profile.rate(group):.1f} multiply-accumulates a {profile.unit}{of_limit}"
            f"{_describe_widths(profile)}, where {other.name} does {other.rate / cycles:.1f}"
        )
    if group == groups.others:
        steps = [step for step in profile.steps if not step.is_binary]
        return _name_longest(profile, steps)
    return _name_longest(profile, profile.operators) if group == groups.outside else ""


def _name_longest(profile: DelegateProfile, parts: Sequence[Part]) -> str:
    if not parts:
        return ""
    longest = max(parts, key=lambda part: part.microseconds)
    return f", of which {longest.name} is the longest with {profile.share(longest):.0%}"


def _describe_widths(profile: DelegateProfile) -> str:
    """How much slower convolutions of few channels are, where they are."""
    by_channels = defaultdict(list)
    for step in profile.steps:
        if step.is_binary:
            by_channels[step.channels].append(step)
    rates = {
        channels: sum(step.macs for step in steps)
        / sum(step.microseconds for step in steps)
        / 1e3
        / (profile.clock or 1)
        for channels, steps in by_channels.items()
    }
    narrow, wide = min(rates), max(rates)
    if rates[narrow] > rates[wide] / 2:
        return ""
    return (
        f" ({rates[narrow]:.1f} where they have {narrow} channels, {rates[wide]:.1f} where {wide})"
    )


def explain(measured: Breakdown | DelegateProfile | None, other: SubgraphLatency) -> list[str]:
    """Says why a file is slower than another, as far as it was measured.

    Args:
        measured: where the time of the file goes; None where that could not be measured.
        other: the file that it is compared with, as a whole.
    """
    if isinstance(measured, DelegateProfile):
        return explain_by_profile(measured, other)
    reasons = [] if measured is None else measured.explain(other)
    return [*reasons, MISSING] if runtime.find_problem() else reasons


def compare_with_float(
    binary: Latency,
    file: bytes | File,
    baseline: Latency,
    baseline_file: bytes | File,
) -> str:
    """Says how many times as fast as float32 a file is; where it is slower, measures why.

    Args:
        binary: latency of the file with its fastest backend, on one thread.
        file: the file.
        baseline: likewise of its float32 baseline.
        baseline_file: the baseline.

    Returns:
        One sentence, see `write_sentence`.
    """
    reasons = []
    if binary.median_ms > baseline.median_ms:
        macs = count_multiply_accumulates(baseline_file)
        whole = SubgraphLatency(baseline.name, {}, macs, baseline.median_ms)
        measured = None
        try:
            in_delegate, backend = split_delegate(binary.backend)
            if in_delegate:
                measured = profile_delegate(binary.name, file, backend=backend)
            else:
                others = {baseline.name: (baseline_file, baseline.backend)}
                measured = break_down(binary.name, file, binary.backend, others)
                whole = measured.others[0]
        except (RuntimeError, ValueError):
            pass  # A part that cannot be run alone; the file itself runs.
        reasons = explain(measured, whole)
    return write_sentence("The file", binary, baseline, reasons)
