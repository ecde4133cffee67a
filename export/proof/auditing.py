"""Compares what a TFLite file holds with what it should hold."""

import dataclasses
from collections import Counter, defaultdict

import tensorflow as tf
from tabulate import tabulate

from export.keras_graph import binary_layers as layers
from export.proof.mapping import map_operators
from export.proof.operators import OperatorSummary, summarize_operators
from export.proof.reasons import find_reason
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.flatbuffer import read

__all__ = ["Audit", "audit"]

WIDEST = 118
LONGEST_OPERATOR = 18
HEADER = ("layer", "operator", "kind", "padding", "strides", "fused", "bits", "bytes", "MACs")


@dataclasses.dataclass(frozen=True)
class Audit:
    """The operators of a TFLite file, and which layers are binary in it.

    Attributes:
        rows: a summary of each operator, in the order in which they run.
        expected: the layers that should be binary: their kernel and their input have one bit.
        lost: by their names, the expected layers that are not binary in the file, or not in a form
            that the engine can run, and why.
    """

    rows: tuple[OperatorSummary, ...]
    expected: tuple[str, ...]
    lost: dict[str, str]

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator occurs, the most frequent first."""
        return dict(Counter(row.operator for row in self.rows).most_common())

    @property
    def binary(self) -> int:
        """Number of binary convolutions in the file; a layer that is called twice has two."""
        return sum(row.operator == BINARY_CONVOLUTION for row in self.rows)

    @property
    def constant_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(row.constant_bytes for row in self.rows)

    @property
    def binary_macs(self) -> int:
        """Multiply-accumulates of bits, in one run."""
        return sum(row.binary_macs for row in self.rows)

    @property
    def float_macs(self) -> int:
        """All other multiply-accumulates, in one run."""
        return sum(row.float_macs for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether every expected layer is binary."""
        return not self.lost

    @property
    def reasons(self) -> dict[str, list[str]]:
        """The names of the lost layers, by the reason why they are not binary."""
        layers_by_reason = defaultdict(list)
        for layer, reason in self.lost.items():
            layers_by_reason[reason].append(layer)
        return dict(layers_by_reason)

    def as_dict(self) -> dict[str, object]:
        """The audit as a dictionary for JSON, with the totals."""
        totals = ("operators", "binary", "constant_bytes", "binary_macs", "float_macs", "passed")
        return {**dataclasses.asdict(self), **{name: getattr(self, name) for name in totals}}

    def __str__(self) -> str:
        kept = len(self.expected) - len(self.lost)
        binary = f"{kept} of {len(self.expected)}" if self.expected else str(self.binary)
        lines = [
            _format_table(self.rows),
            f"{len(self.rows)} operators, {self.constant_bytes:,} bytes of constants, "
            f"{self.binary_macs:,} multiply-accumulates of bits, {self.float_macs:,} others",
            f"Binary convolutions: {binary}",
        ]
        if self.lost:
            lines.append(f"Not binary: {', '.join(self.lost)}")
            for reason, layers in self.reasons.items():
                # The line above lists them all.
                every = len(layers) == len(self.lost) > 1
                lines.append(f"  {'each' if every else ', '.join(layers)}: {reason}")
        return "\n".join(lines)


def _format_table(rows: tuple[OperatorSummary, ...]) -> str:
    cells = [_list_cells(row) for row in rows]
    # tabulate neither limits the width of a table nor cuts names in front.
    excess = max(map(len, _tabulate(cells).splitlines())) - WIDEST
    longest = max((len(layer) for layer, *_ in cells), default=0)
    width = max(longest - max(excess, 0), len(HEADER[0]))
    return _tabulate([(_cut(layer, width), *rest) for layer, *rest in cells])


def _tabulate(cells: list[tuple[str, ...]]) -> str:
    alignment = [*["left"] * 7, *["right"] * 2]
    return tabulate(cells, HEADER, "simple", colalign=alignment, disable_numparse=True)


def _cut(text: str, width: int) -> str:
    # The end of a layer's name identifies it better than its beginning.
    return text if len(text) <= width else f"~{text[1 - width :]}"


def _list_cells(row: OperatorSummary) -> tuple[str, ...]:
    layer, operator, *others = row.list_cells(joiner="+", times="x")
    return layer, _cut(operator, LONGEST_OPERATOR), *others


def audit(
    flatbuffer: bytes | File, model: tf.keras.Model | None = None, *, target: str = "arm"
) -> Audit:
    """Lists the operators of a TFLite file and looks for each layer that should be binary.

    Args:
        flatbuffer: the file, such as `export.convert` makes.
        model: the Keras model that it was converted from. Without it, layers have the names that
            the file gives them, no layer is expected to be binary, and none can be lost.
        target: for which it was converted, "arm" or "xcore".

    Returns:
        The audit.

    Raises:
        ValueError: the bytes are not a TFLite file, or a damaged one.
    """
    file = read(flatbuffer)
    if model is None:
        names = [_shorten_name(operator) for operator in file.operators]
        return Audit(summarize_operators(file, names), (), {})
    owners = map_operators(file, model)
    layers_by_path = layers.list_layers_by_path(model)
    titles = layers.choose_titles(layers_by_path)
    names = ["" if owner is None else titles[id(owner)] for owner in owners]
    binary = {id(layer): layer for layer in layers_by_path.values() if layers.is_binary(layer)}
    lost = {}
    for layer in binary.values():
        reason = find_reason(layer, titles, file, owners, model, target=target)
        if reason:
            lost[titles[id(layer)]] = reason
    return Audit(summarize_operators(file, names), tuple(titles[key] for key in binary), lost)


def _shorten_name(operator: Operator) -> str:
    # Without the model's name in front and the operator's own at the end.
    name = operator.outputs[0].name if operator.outputs else ""
    return "/".join(name.split(";")[0].split("/")[1:-1])
