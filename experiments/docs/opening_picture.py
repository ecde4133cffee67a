"""The picture of the first page: float weights become signs, which classify, small and fast."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes

from experiments.docs.figure_style import ALIVE, DEAD, SOFT, draw
from experiments.pretrained.sample_photographs import read_photographs
from recu_tf import data, models, quantizers

__all__ = ["draw_opening_picture", "read_costs"]

BENCHMARKS = Path(__file__).parents[1] / "results" / "benchmarks.json"
LAYER = "layer1.0.conv1"
SHOWN = 3


def draw_opening_picture(path: Path) -> None:
    """Draws the picture, with a network that comes along.

    Args:
        path: of the file to write.
    """
    network = models.build("resnet20_1w1a", weights="cifar10")
    images, labels = read_photographs()
    normalization = data.DATASETS["cifar10"].normalization
    logits = network.predict(normalization(images), verbose=0)
    odds = tf.nn.softmax(logits).numpy()
    names = data.DATASETS["cifar10"].class_names
    kernel = network.get_layer(LAYER).kernel
    signs = quantizers.recu(kernel, 0.99).numpy()

    def fill(panels):
        trained, bits, answer, costs = panels
        _draw_clamp(trained)
        _draw_signs(bits, signs)
        # A photograph that it gets right, among those that nobody chose for it.
        right = np.flatnonzero(logits.argmax(axis=1) == labels)
        chosen = right[odds[right, labels[right]].argmax()]
        _draw_answer(answer, images[chosen], odds[chosen], names)
        _draw_costs(costs, read_costs())

    draw(path, 4, fill, height=2.5)


def read_costs(path: Path = BENCHMARKS) -> list[tuple[str, str, float, float]]:
    """What the network of the picture costs, as the benchmarks measured it.

    Args:
        path: of their numbers.

    Returns:
        File and time on one thread: name, how to write a number, and the numbers in float32 and of
        one bit.
    """
    tables = json.loads(path.read_text("utf-8"))["inference"]["tables"]
    costs = []
    for name, key, shown in (
        ("file", "file_size", "{:,.0f} kB"),
        ("time", "latency_1", "{:.2g} ms"),
    ):
        (table,) = [table for table in tables if table["key"] == key]
        (row,) = [row for row in table["rows"] if row["name"] == "ResNet-20"]
        numbers = row["medians"]
        costs.append((name, shown, numbers["float32"], numbers[table["ours"]]))
    return costs


def _draw_clamp(panel: Axes) -> None:
    weights = np.random.default_rng(0).laplace(0, 2, 20_000)
    limit = -2 * np.log(2 - 2 * 0.85)
    edges = np.linspace(-10, 10, 61)
    panel.hist(weights[np.abs(weights) <= limit], edges, color=ALIVE)
    panel.hist(weights[np.abs(weights) > limit], edges, color=DEAD)
    panel.annotate(
        "dead",
        (-limit - 1, 120),
        (-8.5, 700),
        color=DEAD,
        fontsize=8,
        arrowprops={"arrowstyle": "-", "color": DEAD},
    )
    panel.set(title="1. train: ReCU revives\nweights far from zero", xlabel="weight", yticks=[])
    panel.set_xticks([0])
    panel.grid(False)


def _draw_signs(panel: Axes, signs: np.ndarray) -> None:
    rows, columns, channels, filters = signs.shape
    # Beside each other: 8 x 8 kernels of 3 x 3 signs, with a line of 0 between them.
    sheet = np.zeros((8 * (rows + 1) - 1, 8 * (columns + 1) - 1))
    for place in range(64):
        top, left = (4 * number for number in divmod(place, 8))
        sheet[top : top + rows, left : left + columns] = signs[
            :, :, place % channels, place // channels % filters
        ]
    panel.imshow(sheet, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    panel.set(title="2. keep the signs:\none bit for a weight", xticks=[], yticks=[])
    panel.grid(False)


def _draw_answer(panel: Axes, image: np.ndarray, odds: np.ndarray, names: list[str]) -> None:
    best = np.argsort(-odds)[:SHOWN]
    picture = panel.inset_axes((0.22, 0.42, 0.56, 0.56))
    picture.imshow(image, interpolation="nearest")
    picture.set_axis_off()
    for place, label in enumerate(best):
        height = 0.26 - 0.13 * place
        panel.barh(height, 0.5 * odds[label], 0.09, left=0.42, color=ALIVE if not place else SOFT)
        panel.text(0.38, height, names[label], ha="right", va="center", fontsize=8)
        panel.text(0.45 + 0.5 * odds[label], height, f"{odds[label]:.0%}", va="center", fontsize=8)
    panel.set(
        title="3. export: a TFLite file,\nverified against Keras", xlim=(0, 1.1), ylim=(-0.1, 1)
    )
    panel.set_axis_off()


def _draw_costs(panel: Axes, costs: list[tuple[str, str, float, float]]) -> None:
    for place, (_, shown, real, binary) in enumerate(costs):
        for offset, number, colour in ((0, real, SOFT), (0.42, binary, ALIVE)):
            height = 1.25 * place + offset
            panel.barh(height, number / real, 0.36, color=colour)
            panel.text(number / real + 0.04, height, shown.format(number), va="center", fontsize=8)
    panel.set(title="4. run it: small and fast\n(grey: the same in float32)", xlim=(0, 1.75))
    panel.set_yticks([0.21, 1.46], [name for name, *_ in costs])
    panel.tick_params(length=0)
    panel.set_xticks([])
    panel.spines[:].set_visible(False)
    panel.invert_yaxis()
    panel.grid(False)
