"""What is in a TFLite file, against what should be."""

import dataclasses
from collections import Counter, defaultdict

import tensorflow as tf

from export.keras_graph import binary_layers as layers
from export.proof.mapping import trace
from export.proof.operators import Row, rows
from export.proof.reasons import reason
from export.tflite.flatbuffer import BINARY_CONVOLUTION, Operator, read

__all__ = ["Audit", "Row", "audit"]

WIDEST = 118
LONGEST_OPERATOR = 18
HEADER = ("layer", "operator", "kind", "padding", "strides", "fused", "bits", "bytes", "MACs")


@dataclasses.dataclass(frozen=True)
class Audit:
    """The operators of a TFLite file and what became of the binary layers.

    Attributes:
        rows: one for each operator, in the order in which they run.
        expected: the layers that should be binary: their kernel and their input have one bit.
        lost: of these, those that are not binary in the file, or not as the engine takes them, and
            why.
    """

    rows: tuple[Row, ...]
    expected: tuple[str, ...]
    lost: dict[str, str]

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator occurs, the most frequent first."""
        return dict(Counter(row.operator for row in self.rows).most_common())

    @property
    def binary(self) -> int:
        """Number of binary convolutions in the file; a layer called twice has two."""
        return sum(row.operator == BINARY_CONVOLUTION for row in self.rows)

    @property
    def constant_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(row.constant_bytes for row in self.rows)

    @property
    def binary_macs(self) -> int:
        """Multiply-accumulates of bits, for one run."""
        return sum(row.binary_macs for row in self.rows)

    @property
    def float_macs(self) -> int:
        """All other multiply-accumulates, for one run."""
        return sum(row.float_macs for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether every layer that should be binary is."""
        return not self.lost

    @property
    def reasons(self) -> dict[str, list[str]]:
        """The layers that are not binary, by why they are not."""
        found = defaultdict(list)
        for layer, why in self.lost.items():
            found[why].append(layer)
        return dict(found)

    def as_dict(self) -> dict[str, object]:
        """The audit as JSON can hold it, with the totals."""
        totals = ("operators", "binary", "constant_bytes", "binary_macs", "float_macs", "passed")
        return {**dataclasses.asdict(self), **{name: getattr(self, name) for name in totals}}

    def __str__(self) -> str:
        kept = len(self.expected) - len(self.lost)
        binary = f"{kept} of {len(self.expected)}" if self.expected else str(self.binary)
        lines = [
            *_table(self.rows),
            f"{len(self.rows)} operators, {self.constant_bytes:,} bytes of constants, "
            f"{self.binary_macs:,} multiply-accumulates of bits, {self.float_macs:,} others",
            f"Binary convolutions: {binary}",
        ]
        if self.lost:
            lines.append(f"Not binary: {', '.join(self.lost)}")
            for why, layers in self.reasons.items():
                # All of several stand in the line above.
                every = len(layers) == len(self.lost) > 1
                lines.append(f"  {'each' if every else ', '.join(layers)}: {why}")
        return "\n".join(lines)


def _table(rows: tuple[Row, ...]) -> list[str]:
    cells = [HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[1] = min(widths[1], LONGEST_OPERATOR)
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(WIDEST - rest, len(HEADER[0])))
    lines = []
    for row in cells:
        texts = [_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[-2:], widths[-2:], strict=True)]
        lines.append("  ".join([*texts[:-2], *numbers]).rstrip())
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:], rule]


def _cut(text: str, width: int) -> str:
    # The end of a layer's name tells more than its beginning.
    return text if len(text) <= width else f"~{text[1 - width :]}"


def _cells(row: Row) -> tuple[str, ...]:
    packed = ((row.packed_input, "in"), (row.packed_output, "out"))
    macs = row.binary_macs + row.float_macs
    return (
        row.layer,
        row.operator,
        row.kind,
        row.padding,
        "x".join(map(str, row.strides or ())),
        "+".join(row.fused),
        "+".join(name for holds, name in packed if holds),
        f"{row.constant_bytes:,}" if row.constant_bytes else "",
        f"{macs:,}" if macs else "",
    )


def audit(flatbuffer: bytes, model: tf.keras.Model | None = None, target: str = "arm") -> Audit:
    """Lists the operators of a TFLite file and looks for each layer that should be binary.

    Args:
        flatbuffer: the file, such as `export.convert` makes.
        model: the Keras model it was made of. Without it, layers are called as the file calls
            them, none is expected to be binary, and none can be lost.
        target: that it was converted for.

    Returns:
        The audit.

    Raises:
        ValueError: the bytes are not a TFLite file, or a damaged one.
    """
    file = read(flatbuffer)
    if model is None:
        return Audit(rows(file, [_name_in_file(one) for one in file.operators]), (), {})
    owners = trace(file, model)
    found = layers.paths(model)
    titles = layers.titles(found)
    names = ["" if owner is None else titles[id(owner)] for owner in owners]
    lost = {}
    binary = {id(layer): layer for layer in found.values() if layers.is_binary(layer)}
    for layer in binary.values():
        why = reason(layer, titles, file, owners, model, target)
        if why:
            lost[titles[id(layer)]] = why
    return Audit(rows(file, names), tuple(titles[one] for one in binary), lost)


def _name_in_file(operator: Operator) -> str:
    # Without the model's name in front and the operator's own behind.
    name = operator.outputs[0].name if operator.outputs else ""
    return "/".join(name.split(";")[0].split("/")[1:-1])
