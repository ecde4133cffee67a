"""The report of an export, for people: what was verified, what was measured, and how it was made.

This file gathers words and numbers; the templates in `templates` beside it lay them out.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

import recu_tf
from export.bundle.contents import Bundle
from export.bundle.operator_charts import COLOURS, draw_latencies, draw_operators
from export.bundle.verification_section import describe_verification
from export.conversion.rewriting import Rewriting
from export.measurement.comparison import format_number
from export.measurement.latency import Latency
from export.proof.auditing import Audit
from export.proof.operators import OperatorSummary
from export.tflite.backends import BACKENDS, DELEGATE
from recu_tf.html import NOTHING, Section, Table, page
from recu_tf.messages import format_count

__all__ = ["render_report"]

TIMES = " \N{MULTIPLICATION SIGN} "
VALUES = {
    "pixels": "pixels, 0 to 255, as they are",
    "normalized": "(pixel / 255 - mean) / std",
    "unknown": "unknown: nothing states how the network's images were normalised",
}


def render_report(bundle: Bundle, created: datetime) -> str:
    """Renders the report of a bundle.

    Args:
        bundle: the export.
        created: when the export was made.

    Returns:
        HTML.
    """
    sections = [
        Section("use", "Use", "use.html.j2", {"table": _make_interface_table(bundle)}),
        Section(
            "verification",
            "Verification",
            "verification.html.j2",
            describe_verification(bundle.verification),
        ),
        *_make_latency_sections(bundle.latencies, bundle.speed, images=bundle.input_shape[0]),
        Section("layers", "Layers", "layers.html.j2", _describe_layers(bundle.audit)),
        Section(
            "rewriting", "Rewriting", "rewriting.html.j2", {"table": _make_step_table(bundle.steps)}
        ),
        Section("operators", "Operators", "operators.html.j2", _describe_operators(bundle.audit)),
        Section(
            "options",
            "Options and versions",
            "table.html.j2",
            {"table": _make_option_table(bundle)},
        ),
    ]
    return page(
        "export.bundle",
        title=f"Export of {bundle.name}",
        lead_template="table.html.j2",
        lead_values={"table": _make_summary_table(bundle)},
        sections=sections,
        footer=f"Written by recu_tf {recu_tf.__version__}, {created:%Y-%m-%d %H:%M} UTC",
    )


def _make_fact_table(caption: str, facts: Iterable[tuple[str, str]]) -> Table:
    return Table(caption, ("", ""), [list(fact) for fact in facts], is_text=True)


def _format_shape(sizes: Sequence[int]) -> str:
    return TIMES.join(map(str, sizes))


def _format_size(size: int, float_size: int | None) -> str:
    if float_size is None:
        return f"{size:,} bytes"
    times = float_size / size
    return f"{size:,} bytes; float32 is {times:.1f} times as large ({float_size:,} bytes)"


def _make_summary_table(bundle: Bundle) -> Table:
    audit, verification = bundle.audit, bundle.verification
    kept = len(audit.expected) - len(audit.lost)
    binary = f"{kept} of {format_count(len(audit.expected), 'layer')} that should be binary"
    facts = [
        ("Size", _format_size(len(bundle.flatbuffer), bundle.float_size)),
        ("Binary", binary if audit.expected else "no layer, and none should be"),
        (
            "Verification",
            f"{verification.outcome}, on {verification.images:,} {verification.source}, with "
            f"{' and '.join(verification.interpreters)}",
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
    fastest: dict[str, float] = {}
    for latency in _rank(bundle.latencies):
        is_float = latency.backend not in (DELEGATE, *BACKENDS)
        interpreter = "with the delegate" if latency.backend == DELEGATE else "in the engine"
        name = latency.name if is_float else f"{latency.name} {interpreter}"
        fastest.setdefault(name, latency.median_ms)
    if fastest:
        medians = ", ".join(
            f"{name} {format_number(median)} ms" for name, median in fastest.items()
        )
        facts.append(("Fastest here", medians))
    return _make_fact_table("Summary", facts)


def _make_interface_table(bundle: Bundle) -> Table:
    """The inputs and outputs of the file, and what runs it."""
    facts = []
    if bundle.takes_image:
        facts += _list_image_facts(bundle)
    inputs = [end for end in bundle.inputs if not bundle.takes_image or end != bundle.image_input]
    facts += [(f"Input {end.name}", f"{end.type} {_format_shape(end.shape)}") for end in inputs]
    facts.append(("Output", f"{bundle.output_kind} {_format_shape(bundle.output_shape)}"))
    outputs = [end for end in bundle.outputs if end != bundle.main_output]
    facts += [(f"Output {end.name}", f"{end.type} {_format_shape(end.shape)}") for end in outputs]
    if bundle.verification.backends:
        backends = ", ".join(bundle.verification.backends)
        facts.append(("Backends that run it", backends))
    if bundle.golden is not None:
        runs = format_count(bundle.golden.runs, "run")
        facts.append(("Golden sample", f"{runs} on {bundle.golden.source}, in golden.bin"))
    return _make_fact_table("What the file takes and gives", facts)


def _list_image_facts(bundle: Bundle) -> list[tuple[str, str]]:
    size, resize = _format_shape(bundle.input_shape[1:3]), bundle.resize
    if "exact" in resize:
        resizing = f"resized to {size}"
    else:
        resizing = f"shorter side resized to {resize['shorter_side']}, middle {size}"
    facts = [
        ("Input", f"{bundle.input_type} {_format_shape(bundle.input_shape)}"),
        ("Images", f"{resizing}; bilinear, antialiased"),
        ("Values", VALUES[bundle.values]),
    ]
    if bundle.values == "normalized":
        for name in ("mean", "std"):
            facts.append((name, ", ".join(map(str, getattr(bundle.normalization, name)))))
    return facts


def _rank(latencies: Sequence[Latency]) -> list[Latency]:
    """The delegate first, then by their medians."""
    return sorted(latencies, key=lambda latency: (latency.backend != DELEGATE, latency.median_ms))


def _make_latency_sections(
    latencies: Sequence[Latency], speed: str, *, images: int
) -> list[Section]:
    """One section, or none where nothing was measured."""
    if not latencies:
        return []
    ranked = _rank(latencies)
    rows = [
        [
            latency.name,
            latency.backend,
            str(latency.threads),
            *map(format_number, (latency.median_ms, latency.p95_ms, latency.min_ms)),
            f"{latency.median_ms / ranked[0].median_ms:.2f}",
        ]
        for latency in ranked
    ]
    header = (
        "File",
        "Backend",
        "Threads",
        "Median",
        "95th percentile",
        "Minimum",
        "Times the first",
    )
    caption = (
        f"Milliseconds for {format_count(images, 'image')}, on the machine of the export; "
        "measured in turns"
    )
    table = Table(caption, header, rows, text_columns=2)
    values = {"chart": draw_latencies(ranked), "table": table, "speed": speed}
    return [Section("latency", "Latency", "latency.html.j2", values)]


def _describe_layers(audit: Audit) -> dict[str, object]:
    """The names of the binary layers, and a table of those that are not but should be."""
    table = None
    if audit.lost:
        rows = [[", ".join(layers), reason] for reason, layers in audit.reasons.items()]
        caption = f"{format_count(len(audit.lost), 'layer')} not binary, and why"
        classes = ["differs"] * len(rows)
        table = Table(caption, ("Layers", "Reason"), rows, classes, is_text=True)
    binary = [layer for layer in audit.expected if layer not in audit.lost]
    return {"expected": audit.expected, "binary": binary, "table": table}


def _make_step_table(steps: Sequence[Rewriting]) -> Table | None:
    if not steps:
        return None
    rows = [
        [
            step.name,
            "done" if step.kept else "not done: it changed the outputs",
            f"{step.share_within:.0%}",
            ", ".join(step.layers),
        ]
        for step in steps
    ]
    header = ("Step", "Outcome", "Images unchanged", "Layers")
    return Table("Before the conversion, each verified on images", header, rows, is_text=True)


def _describe_operators(audit: Audit) -> dict[str, object]:
    header = ("Layer", "Operator", "Kind", "Padding", "Strides", "Fused", "Bits", "Bytes", "MACs")
    total = ["All", *[""] * 6, f"{audit.constant_bytes:,}"]
    total.append(f"{audit.binary_macs + audit.float_macs:,}")
    rows = [*map(_make_operator_row, audit.rows), total]
    classes = [*[""] * len(audit.rows), "total"]
    return {
        "charts": draw_operators(audit.rows),
        "legend": COLOURS,
        "counts": ", ".join(f"{count} {name}" for name, count in audit.operators.items()),
        "binary_macs": f"{audit.binary_macs:,}",
        "float_macs": f"{audit.float_macs:,}",
        "table": Table("Operators of the file", header, rows, classes, text_columns=7),
    }


def _make_operator_row(row: OperatorSummary) -> list[str]:
    layer, *others = row.list_cells(joiner=", ", times=TIMES)
    return [layer or NOTHING, *others]


def _make_option_table(bundle: Bundle) -> Table:
    facts = [
        *((name, json.dumps(value, default=str)) for name, value in bundle.options.items()),
        ("conversion", f"{bundle.seconds:.1f} s"),
    ]
    if bundle.peak_memory is not None:
        facts.append(("peak memory", f"{bundle.peak_memory / 2**20:,.0f} MiB"))
    facts += bundle.versions.items()
    if bundle.source_sha256:
        facts.append(("SHA-256 of the network", bundle.source_sha256))
    return _make_fact_table("How it was made", facts)
