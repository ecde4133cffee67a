"""The report of an export, for people: what was proved, what was measured, and of what it is made.

One HTML file with everything in it. Names of layers and classes come from the model, so every text
is escaped on its way into the page.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

import recu_tf
from export.bundle.contents import Bundle
from export.conversion.rewriting import Rewriting
from export.measurement.latency import Latency
from export.proof.auditing import Audit
from export.proof.operators import Row
from export.proof.output_comparison import SHARE_WITHIN
from export.proof.verification import AGREEMENT, Verification
from recu_tf.html import page, table

__all__ = ["report_page"]

NOTHING = "\N{EN DASH}"
VALUES = {
    "pixels": "pixels, 0 to 255, as they are",
    "normalized": "(pixel / 255 - mean) / std",
    "unknown": "not known: nothing tells how the network's images were normalised",
}


def report_page(bundle: Bundle, created: datetime) -> str:
    """The page.

    Args:
        bundle: what it tells of.
        created: when the export was made.

    Returns:
        HTML.
    """
    sections = [
        ("use", "Use", _use(bundle)),
        ("verification", "Verification", _verification(bundle.verification)),
        ("latency", "Latency", _latency(bundle.latencies, bundle.input_shape[0])),
        ("layers", "Layers", _layers(bundle.audit)),
        ("rewriting", "Rewriting", _rewriting(bundle.steps)),
        ("operators", "Operators", _operators(bundle.audit)),
        ("options", "Options and versions", _options(bundle)),
    ]
    written = f"Written by recu_tf {recu_tf.__version__}, {created:%Y-%m-%d %H:%M} UTC"
    return page(f"Export of {bundle.name}", _lead(bundle), sections, written)


def _facts(caption: str, facts: Iterable[tuple[str, str]]) -> str:
    return table(caption, ("", ""), [list(fact) for fact in facts], text=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(*lengths: int) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, lengths))


def _bytes(size: int, twin: int | None) -> str:
    if twin is None:
        return f"{size:,} bytes"
    return f"{size:,} bytes, {twin / size:.1f} times smaller than in float32 ({twin:,} bytes)"


def _lead(bundle: Bundle) -> str:
    audit, verification = bundle.audit, bundle.verification
    kept = len(audit.expected) - len(audit.lost)
    binary = f"{kept} of {_count(len(audit.expected), 'layer')} that should be"
    facts = [
        ("Size", _bytes(len(bundle.flatbuffer), bundle.float_size)),
        ("Binary", binary if audit.expected else "no layer, and none should be"),
        (
            "Verification",
            f"{verification.outcome}, on {verification.images:,} {verification.source}",
        ),
    ]
    if verification.keras_accuracy is not None:
        facts.append(
            (
                "Top-1 accuracy",
                f"{verification.tflite_accuracy:.2%}, Keras {verification.keras_accuracy:.2%}",
            )
        )
    if verification.warning is not None:
        facts.append(("Backends", verification.warning))
    ranked = sorted(bundle.latencies, key=lambda one: one.median_ms)
    fastest = {}
    for one in ranked:
        fastest.setdefault(one.name, one)
    if fastest:
        text = ", ".join(f"{name} {one.median_ms:.3g} ms" for name, one in fastest.items())
        facts.append(("Fastest here", text))
    return _facts("What came of it", facts)


def _use(bundle: Bundle) -> str:
    facts = []
    if bundle.takes_image:
        facts += _image_facts(bundle)
    inputs = [end for end in bundle.inputs if not bundle.takes_image or end != bundle.image_input]
    facts += [(f"Input {end.name}", f"{end.type} {_size(*end.shape)}") for end in inputs]
    facts.append(("Output", f"{bundle.output_kind} {_size(*bundle.output_shape)}"))
    outputs = [end for end in bundle.outputs if end != bundle.main_output]
    facts += [(f"Output {end.name}", f"{end.type} {_size(*end.shape)}") for end in outputs]
    if bundle.verification.backends:
        facts.append(
            ("Backends of the engine that run it", ", ".join(bundle.verification.backends))
        )
    if bundle.golden is not None:
        runs = _count(bundle.golden.runs, "run")
        facts.append(("Golden sample", f"{runs} on {bundle.golden.source}, in golden.bin"))
    return (
        "<p><code>python predict.py IMAGE</code>, in this folder, needs neither TensorFlow nor "
        "this project; its first lines say what to install. <code>python predict.py "
        "--self-test</code> repeats the golden sample. Other programs find the following in "
        "<code>model.json</code>.</p>" + _facts("What the file takes and gives", facts)
    )


def _image_facts(bundle: Bundle) -> list[tuple[str, str]]:
    _, height, width, _ = bundle.input_shape
    resize = bundle.resize
    if "exact" in resize:
        sizes = f"resized to {_size(height, width)}"
    else:
        sizes = f"shorter side resized to {resize['shorter_side']}, middle {_size(height, width)}"
    facts = [
        ("Input", f"{bundle.input_type} {_size(*bundle.input_shape)}"),
        ("Images", f"{sizes}; bilinear, antialiased"),
        ("Values", VALUES[bundle.values]),
    ]
    if bundle.values == "normalized":
        for name in ("mean", "std"):
            facts.append((name, ", ".join(map(str, getattr(bundle.normalization, name)))))
    return facts


def _verification(found: Verification) -> str:
    rows = [
        [
            f"Images within {found.tolerance:.1e} of {found.reference}",
            f"{found.share_within:.1%}",
            f"{SHARE_WITHIN:.0%}",
        ],
        ["Largest difference", f"{found.largest_difference:.1e}", NOTHING],
    ]
    if found.agreement is not None:
        rows.insert(1, ["Same top-1 class", f"{found.agreement:.1%}", f"{AGREEMENT:.0%}"])
    if found.keras_agreement is not None:
        rows.insert(2, ["Same top-1 class as Keras", f"{found.keras_agreement:.1%}", NOTHING])
    if found.keras_accuracy is not None:
        rows.append(["Top-1 accuracy in Keras", f"{found.keras_accuracy:.2%}", NOTHING])
        rows.append(["Top-1 accuracy of the file", f"{found.tflite_accuracy:.2%}", NOTHING])
    if found.gross:
        rows.append(["Grossly different images", f"{found.gross:,}", NOTHING])
    if found.refusing or found.differing:
        rows.append(["Backends that run it", found.runnable, NOTHING])
    warning = f"<p><strong>{escape(found.warning)}.</strong></p>" if found.warning else ""
    note = f"<p>{escape(found.note[0].upper() + found.note[1:])}.</p>" if found.note else ""
    caption = (
        f"The file against {found.reference} on {found.images:,} {found.source}: {found.outcome}"
    )
    return table(caption, ("", "Found", "Enough"), rows) + note + warning


def _latency(latencies: Sequence[Latency], images: int) -> str:
    if not latencies:
        return ""
    ranked = sorted(latencies, key=lambda one: one.median_ms)
    least = ranked[0].median_ms
    rows = [
        [
            one.name,
            one.backend,
            str(one.threads),
            *(f"{value:.2f}" for value in (one.median_ms, one.p95_ms, one.min_ms)),
            f"{one.median_ms / least:.2f}",
        ]
        for one in ranked
    ]
    header = ("File", "Backend", "Threads", "Median", "95th percentile", "Least", "Times the first")
    caption = (
        f"Milliseconds for {_count(images, 'image')}, on the machine of the export; all took turns"
    )
    return table(caption, header, rows, words=2)


def _layers(audit: Audit) -> str:
    if not audit.expected:
        return "<p>No layer has a kernel and an input of one bit.</p>"
    binary = [layer for layer in audit.expected if layer not in audit.lost]
    told = f"<p>Binary in the file: {escape(', '.join(binary))}.</p>" if binary else ""
    if not audit.lost:
        return told
    rows = [[", ".join(layers), why] for why, layers in audit.reasons.items()]
    caption = f"{_count(len(audit.lost), 'layer')} not binary, and why"
    kinds = ["differs"] * len(rows)
    return table(caption, ("Layers", "Reason"), rows, kinds, text=True) + told


def _rewriting(steps: Sequence[Rewriting]) -> str:
    if not steps:
        return "<p>Nothing of the network had to be rewritten for the converter.</p>"
    rows = [
        [
            step.name,
            "done" if step.kept else "not done: it changed the outputs",
            f"{step.share_within:.0%}",
            ", ".join(step.layers),
        ]
        for step in steps
    ]
    header = ("Step", "", "Images unchanged", "Layers")
    return table("Before the conversion, each proved on images", header, rows, text=True)


def _operators(audit: Audit) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in audit.operators.items())
    header = ("Layer", "Operator", "Kind", "Padding", "Strides", "Fused", "Bits", "Bytes", "MACs")
    total = ["All", *[""] * 6, f"{audit.constant_bytes:,}"]
    total.append(f"{audit.binary_macs + audit.float_macs:,}")
    rows = [*map(_operator, audit.rows), total]
    kinds = [*[""] * len(audit.rows), "total"]
    return (
        f"<p>{escape(counts)}. Multiply-accumulates (MACs): {audit.binary_macs:,} of bits, "
        f"{audit.float_macs:,} others. Bits: where values are read or written as bits, 32 in a "
        "word.</p><details open><summary>All operators in their order</summary>"
        f"{table('Operators of the file', header, rows, kinds, words=7)}</details>"
    )


def _operator(row: Row) -> list[str]:
    packed = ((row.packed_input, "in"), (row.packed_output, "out"))
    macs = row.binary_macs + row.float_macs
    return [
        row.layer or NOTHING,
        row.operator,
        row.kind,
        row.padding,
        _size(*row.strides or ()),
        ", ".join(row.fused),
        ", ".join(name for holds, name in packed if holds),
        f"{row.constant_bytes:,}" if row.constant_bytes else "",
        f"{macs:,}" if macs else "",
    ]


def _options(bundle: Bundle) -> str:
    facts = [
        *((name, json.dumps(value, default=str)) for name, value in bundle.options.items()),
        ("conversion", f"{bundle.seconds:.1f} s"),
    ]
    if bundle.peak_memory is not None:
        facts.append(("peak memory", f"{bundle.peak_memory / 2**20:,.0f} MiB"))
    facts += bundle.versions.items()
    if bundle.source_sha256:
        facts.append(("SHA-256 of the network", bundle.source_sha256))
    return _facts("How it was made", facts)
