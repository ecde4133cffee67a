"""What a trial of the search trains: the published recipe, and what differs from it."""

from dataclasses import asdict, dataclass, fields

from recu_tf.choices import check_choice

__all__ = ["FLOAT_RELU", "Trial"]

FLOAT_RELU = "float_relu"

CHOICES = {
    "slope": ("tent", "box", "all", "power", "bell", "trapezoid"),
    "optimizer": ("sgd", "nesterov", "adam"),
    "kernel_optimizer": (None, "turn", "adam", "muon"),
    "lr_shape": ("cos", "cos_step", "linear", "quadratic"),
    "l2_on": ("all", "not_binary", "kernels", "binary"),
    "tau_shape": ("exponential", "linear", "constant"),
    "first_stage": (None, "float", FLOAT_RELU, "binary_activations"),
}


@dataclass(frozen=True)
class Trial:
    """A training of the search. Defaults are the published recipe, but for the number of epochs.

    Attributes:
        name: of the trial; its directory and its line in the table have it.
        model: name of the network.
        epochs: passes over the training images, first stage included.
        seed: of weights, order and augmentation.
        batch_size: images per step.
        slope: shape of the activation gradient, see `activation_gradients.SLOPES`.
        width: of that shape.
        last_width: if given, the width falls with the learning rate from `width` to this one.
        standardized: whether it sees activations divided by their standard deviation per image.
        inward: whether the hard tanh passes gradients that would lead a clipped value back.
        leak: share of the gradient that the hard tanh passes where it clips.
        optimizer: "sgd", "nesterov" or "adam".
        lr: highest learning rate.
        lr_shape: "cos" (once per epoch, as published), "cos_step", "linear" or "quadratic" (each
            step). All fall to 0; the quadratic one is a quarter half-way, and low for longest.
        warm_up: epochs in which the learning rate rises.
        momentum: of SGD.
        l2: factor of the L2 term.
        l2_falls: whether it falls with the learning rate.
        l2_on: "all" trainable tensors, all but binary kernels ("not_binary"), "kernels" of
            convolutions and the classifier, or "binary" kernels alone.
        bias_lr: factor on the learning rate of the batch norms' biases.
        kernel_lr: factor on the learning rate of binary kernels.
        kernel_optimizer: of binary kernels, if it is another: "turn", which takes the direction of
            SGD's step filter by filter, "adam" (Kingma and Ba: Adam, ICLR 2015), or "muon", see
            `recu_tf.optimizers.Muon`. With each, the mean square of a filter stays 1, and the
            learning rate is the share of a filter that a step changes.
        norm_l2: factor on the L2 term of batch norms.
        label_smoothing: share of the label that goes to all classes.
        padding: pixels by which a crop may reach over the edge.
        alternating_flips: whether an image is flipped every other epoch, not at random.
        small_epochs: how many epochs, from the first, train on images of `small_size`.
        small_size: side length of these images.
        tau_min: first temperature.
        tau_max: last temperature.
        tau_shape: "exponential", "linear" or "constant" (`tau_min`).
        whitened_stem: whether the first convolution starts with the main axes of 3x3 patches.
        gamma: what the batch norms behind binary convolutions start with.
        average_from: share of the steps from which on weights are averaged; 1 averages nothing.
        first_stage: None, "float", "float_relu", whose hard tanhs are ReLUs, or
            "binary_activations".
        first_epochs: epochs of the first stage.
        first_lr: highest learning rate of the first stage; None is that of the second.
        first_starts: whether the second stage starts with the weights of the first.
        first_teaches: whether the first stage's network is the teacher of the second.
        distill_weight: weight of a teacher's softmax against the labels; 0 needs no teacher.
        mean_teacher: the teacher is the running mean of the weights, of which each step keeps this
            share (Tarvainen and Valpola: Mean teachers are better role models, NeurIPS 2017);
            None for no such teacher.
        held_out: share of the training images that is held out; 0 tests on the test images.

    Raises:
        ValueError: a word is none of those that its attribute can have, or `mean_teacher` is not
            above 0 and below 1, or is given together with a first stage.
    """

    name: str
    model: str = "resnet20_1w1a"
    epochs: int = 5
    seed: int = 0
    batch_size: int = 256
    slope: str = "tent"
    width: float = 1.0
    last_width: float | None = None
    standardized: bool = True
    inward: bool = False
    leak: float = 0.0
    optimizer: str = "sgd"
    lr: float = 0.1
    lr_shape: str = "cos"
    warm_up: float = 5.0
    momentum: float = 0.9
    l2: float = 5e-4
    l2_falls: bool = False
    l2_on: str = "all"
    bias_lr: float = 1.0
    kernel_lr: float = 1.0
    kernel_optimizer: str | None = None
    norm_l2: float = 1.0
    label_smoothing: float = 0.0
    padding: int = 4
    alternating_flips: bool = False
    small_epochs: int = 0
    small_size: int = 24
    tau_min: float = 0.85
    tau_max: float = 0.99
    tau_shape: str = "exponential"
    whitened_stem: bool = False
    gamma: float = 1.0
    average_from: float = 1.0
    first_stage: str | None = None
    first_epochs: int = 0
    first_lr: float | None = None
    first_starts: bool = True
    first_teaches: bool = False
    distill_weight: float = 0.0
    mean_teacher: float | None = None
    held_out: float = 0.1

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        share = self.mean_teacher
        if share is not None and not 0 < share < 1:
            raise ValueError(f"`mean_teacher` must be above 0 and below 1, got {share}.")
        if share is not None and self.first_stage:
            raise ValueError(
                f"`mean_teacher` must be None with a first stage, got {share} and `first_stage` "
                f"{self.first_stage!r}."
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether it learns from a network that somebody else trained."""
        return self.distill_weight > 0 and not (self.first_teaches or self.mean_teacher)

    def changes(self) -> dict:
        """What differs from the published recipe, by name; without the name and the seed."""
        defaults = {field.name: field.default for field in fields(self)}
        own = asdict(self)
        skipped = ("name", "seed", "held_out", "epochs")
        return {key: own[key] for key in own if key not in skipped and own[key] != defaults[key]}
