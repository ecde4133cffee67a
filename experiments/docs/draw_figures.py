"""Draws the figures of "How ReCU works" from the quantizers themselves and from a recorded run.

```sh
python -m experiments.docs.draw_figures
```

writes them into `experiments/docs/pages/figures`, with the picture of the first page.
"""

import json
from pathlib import Path

import numpy as np

from experiments.docs.figure_style import ALIVE, DEAD, INK, OTHER, SOFT, draw
from experiments.docs.laplace_error import compute_laplace_error, sample_laplace_error
from experiments.docs.opening_picture import draw_opening_picture
from experiments.docs.own_gradients import find_own_gradient
from recu_tf import quantizers, schedules

__all__ = ["FIGURES", "draw_all", "make_kernel"]

FOLDER = Path(__file__).parent / "pages" / "figures"
RUN = Path(__file__).parents[1] / "results" / "cifar10-resnet20-20-epochs" / "metrics.jsonl"
TAU = 0.85
# One outline instead of a shape for each bar.
FILLED = {"histtype": "stepfilled"}


def make_kernel() -> np.ndarray:
    """A kernel (3, 3, 32, 64) as trained ones are: Laplace, each filter with a mean of its own."""
    random = np.random.default_rng(0)
    return random.laplace(0, 0.04, (3, 3, 32, 64)) + random.normal(0, 0.03, 64)


def draw_weights(path: Path) -> None:
    """Weights before, standardised, and clamped."""
    kernel = make_kernel()
    standardized = quantizers.standardize_kernel(kernel).numpy()
    limit = float(quantizers.threshold(standardized, TAU))
    dead = np.abs(standardized) > limit

    def fill(panels):
        edges = np.linspace(-10, 10, 81)
        first, second, third = panels
        first.hist(kernel.ravel(), np.linspace(-0.3, 0.3, 81), color=SOFT, **FILLED)
        first.set(title="latent weights", xlabel="w", yticks=[])
        for part, colour, name in (
            (~dead, ALIVE, "alive"),
            (dead, DEAD, f"dead, {dead.mean():.0%}"),
        ):
            second.hist(standardized[part], edges, color=colour, label=name)
        second.set(title="standardised in each filter", xlabel="y", yticks=[])
        third.hist(np.clip(standardized, -limit, limit).ravel(), edges, color=ALIVE, **FILLED)
        third.set(title=f"clamped at Q, tau = {TAU}", xlabel="y, clamped", yticks=[])
        for panel in (second, third):
            for edge in (-limit, limit):
                panel.axvline(edge, color=INK, linewidth=1, linestyle="--")
        second.legend(loc="upper left")

    draw(path, 3, fill)


def draw_threshold(path: Path) -> None:
    """Tau over the epochs, and what it makes of the threshold and of the dead weights."""
    epochs = 600
    tau = np.linspace(0.501, 0.999, 400)

    def fill(panels):
        first, second, third = panels
        curve = [schedules.exponential_tau(epoch, epochs) for epoch in range(epochs)]
        first.plot(curve, color=ALIVE)
        first.set(title="the published schedule", xlabel="epoch", ylabel="tau")
        second.plot(tau, -np.log(2 - 2 * tau), color=ALIVE)
        second.set(title="threshold", xlabel="tau", ylabel="Q / mean |y|")
        third.plot(tau, 2 - 2 * tau, color=DEAD)
        third.set(title="dead weights, if Laplace", xlabel="tau", ylabel="share")
        for panel in (second, third):
            panel.axvspan(0.85, 0.99, color=ALIVE, alpha=0.12, linewidth=0)

    draw(path, 3, fill)


def draw_gradients(path: Path) -> None:
    """The gradients of kernels at two temperatures, and of activations with two quantizers."""
    random = np.random.default_rng(0)
    weights = np.sort(random.laplace(0, 0.04, 400))
    standardized = quantizers.standardize_kernel(weights[:, np.newaxis]).numpy()[:, 0]
    values = np.sort(random.normal(0, 1, 400))
    scaled = values / values.std(ddof=1)

    def fill(panels):
        kernels, activations = panels
        for tau, colour in ((0.85, ALIVE), (0.99, OTHER)):
            own = find_own_gradient(lambda w, tau=tau: quantizers.recu(w, tau), weights, axis=0)
            scale = weights.std(ddof=1) / (2 * np.sqrt(2))
            kernels.plot(standardized, own * scale, color=colour, label=f"tau = {tau}")
        kernels.set(
            title="kernels: recu",
            xlabel="standardised weight y",
            ylabel="gradient / (2.83 / deviation)",
        )
        for name, quantize, colour in (
            ("StandardizedApproxSign", quantizers.standardized_approx_sign, ALIVE),
            ("StandardizedSteSign, 1.5", quantizers.standardized_ste_sign, OTHER),
        ):
            own = find_own_gradient(quantize, values, axis=1)
            activations.plot(scaled, own * values.std(ddof=1), color=colour, label=name)
        activations.set(
            title="activations",
            xlabel="activation / deviation of the image",
            ylabel="gradient * deviation",
        )
        for panel in panels:
            panel.set_ylim(-0.05, 2.75)
            panel.legend(loc="upper right")
        kernels.set_ylim(-0.05, 1.35)

    draw(path, 2, fill)


def draw_dead_weights(path: Path) -> None:
    """Dead weights and changed signs in the recorded training of a ResNet-20."""
    lines = [json.loads(line) for line in RUN.read_text("utf-8").splitlines()]
    epochs = [line["epoch"] + 1 for line in lines]

    def fill(panels):
        for panel, name, title in (
            (panels[0], "dead_weights", "dead weights"),
            (panels[1], "flipped_signs", "signs that changed in the epoch"),
        ):
            for layer in lines[0]["layers"]:
                each = [100 * line["layers"][layer][name] for line in lines]
                panel.plot(epochs, each, color=SOFT, linewidth=0.6, alpha=0.7)
            whole = [100 * line[name] for line in lines]
            panel.plot(epochs, whole, color=DEAD, linewidth=2, label="all layers")
            panel.plot([], [], color=SOFT, linewidth=0.6, label="each layer")
            panel.set(title=title, xlabel="epoch", ylabel="%")
            panel.set_ylim(bottom=0)
            panel.set_xticks([1, 5, 10, 15, 20])
        laplace = [200 * (1 - line["tau"]) for line in lines]
        panels[0].plot(epochs, laplace, color=INK, linestyle="--", label="2 - 2 tau")
        for panel in panels:
            panel.legend(loc="upper right")

    draw(path, 2, fill)


def draw_laplace_error(path: Path) -> None:
    """The closed form of the quantisation error, and the error of random weights."""
    tau = np.linspace(0.501, 1, 400)
    sampled = np.linspace(0.55, 0.99, 12)

    def fill(panels):
        (panel,) = panels
        panel.plot(tau, compute_laplace_error(tau), color=ALIVE, label="closed form")
        errors = [sample_laplace_error(number) for number in sampled]
        panel.plot(sampled, errors, "o", color=DEAD, markersize=4, label="a million random weights")
        panel.set(xlabel="tau", ylabel="error / b²")
        panel.legend(loc="upper left")

    draw(path, 1, fill)


FIGURES = {
    "kernel_weights.svg": draw_weights,
    "threshold.svg": draw_threshold,
    "gradients.svg": draw_gradients,
    "dead_weights.svg": draw_dead_weights,
    "quantization_error.svg": draw_laplace_error,
    "what_it_does.svg": draw_opening_picture,
}


def draw_all(folder: Path = FOLDER) -> None:
    """Draws every figure into a folder.

    Args:
        folder: it exists.
    """
    for name, draw_figure in FIGURES.items():
        draw_figure(folder / name)


if __name__ == "__main__":
    draw_all()
