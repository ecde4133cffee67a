"""The section of a report that compares a file with its model, a column for each interpreter."""

from collections.abc import Sequence

from export.proof.output_comparison import SHARE_WITHIN
from export.proof.verification import AGREEMENT, Verification
from recu_tf.html import NOTHING, Table

__all__ = ["describe_verification"]


def describe_verification(verification: Verification) -> dict[str, object]:
    """What `verification.html.j2` shows: a table, notes and a warning."""
    both = [verification, *([verification.delegate] if verification.delegate else [])]
    notes = [compared.note for compared in both]
    if len(both) > 1 and notes[0] == notes[1]:
        notes = notes[:1]
    elif len(both) > 1:
        notes = [
            note and f"{compared.interpreter}: {note}"
            for compared, note in zip(both, notes, strict=True)
        ]
    if verification.without_delegate:
        notes.append(f"the delegate did not run: {verification.without_delegate}")
    return {
        "table": _make_table(both),
        "notes": [f"{_capitalize(note)}." for note in notes if note],
        "warning": f"{verification.warning}." if verification.warning else None,
    }


def _capitalize(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"


def _make_table(both: Sequence[Verification]) -> Table:
    first = both[0]
    rows = [
        (
            f"Images within {first.tolerance:.1e} of {first.reference}",
            "share_within",
            ".1%",
            f"{SHARE_WITHIN:.0%}",
        ),
        ("Same top-1 class", "agreement", ".1%", f"{AGREEMENT:.0%}"),
        ("Same top-1 class as Keras", "keras_agreement", ".1%", NOTHING),
        ("Largest difference", "largest_difference", ".1e", NOTHING),
        ("Top-1 accuracy in Keras", "keras_accuracy", ".2%", NOTHING),
        ("Top-1 accuracy of the file", "tflite_accuracy", ".2%", NOTHING),
        ("Grossly different images", "gross", ",", NOTHING),
    ]
    caption = (
        f"The file against {first.reference} on {first.images:,} {first.source}: {first.outcome}"
    )
    if first.refusing or first.differing:
        caption += f". Backends that run it: {first.runnable}"
    columns = [_capitalize(compared.interpreter) for compared in both]
    return Table(
        caption,
        ("", *columns, "Required"),
        [
            [heading, *(_format(getattr(compared, name), form) for compared in both), required]
            for heading, name, form, required in rows
            if _is_known(first, name)
        ],
    )


def _is_known(verification: Verification, name: str) -> bool:
    delegate = verification.delegate
    if name == "gross":
        return bool(verification.gross or (delegate and delegate.gross))
    return getattr(verification, name) is not None


def _format(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"
