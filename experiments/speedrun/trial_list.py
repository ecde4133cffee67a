"""The trials of the search: the published recipe, faster rates, then one change at a time."""

from dataclasses import replace

from experiments.speedrun.trial import FLOAT_RELU, Trial

__all__ = ["TRIALS"]

PUBLISHED = Trial("published")
# The published warm-up takes all of five epochs. Here the learning rate rises for half an epoch and
# changes in every step.
PER_STEP = replace(PUBLISHED, name="per_step", lr_shape="cos_step", warm_up=0.5)
BATCH64 = replace(PER_STEP, name="batch64", batch_size=64, lr=0.05)
RATE01 = replace(BATCH64, name="lr0.1", lr=0.1)
# The number of steps and the rate matter most, so that they come first: each change is compared
# with the best of them.
BASE = replace(BATCH64, name="base", lr=0.4)
# A teacher that is trained in the first of the epochs, so that it costs its share of them.
TAUGHT_BY_FIRST = {
    "first_stage": "float",
    "first_starts": False,
    "first_teaches": True,
    "distill_weight": 0.9,
}
# A teacher that costs no epochs.
MEAN_TEACHER = {"mean_teacher": 0.98, "distill_weight": 0.5}


def _list_rates() -> list[Trial]:
    """What was tried before `BASE` was found, most of it at a rate that is too low."""
    box = {"slope": "box", "width": 1.5}
    return [
        PUBLISHED,
        PER_STEP,
        replace(PER_STEP, name="per_step_box1.5", **box),
        BATCH64,
        replace(BATCH64, name="batch64_box1.5", **box),
        RATE01,
        replace(RATE01, name="lr0.1_box1.5", **box),
        replace(RATE01, name="lr0.1_kernel_lr4", kernel_lr=4.0),
        replace(RATE01, name="lr0.1_kernel_lr16", kernel_lr=16.0),
        replace(RATE01, name="lr0.1_no_l2", l2=0.0),
        replace(BATCH64, name="lr0.2", lr=0.2),
        BASE,
    ]


def _list_changes(base: Trial) -> list[Trial]:
    """One change of `base` each."""

    def change(name: str, **changes: object) -> Trial:
        return replace(base, name=name, **changes)

    gradients = [
        change("box1.5", slope="box", width=1.5),
        change("inward", inward=True),
        change("leak0.1", leak=0.1),
        change("box1", slope="box"),
        change("tent2", width=2.0),
        change("power", slope="power", width=1.5),
        change("bell", slope="bell"),
        change("raw_tent", standardized=False),
        change("raw_box1.5", slope="box", width=1.5, standardized=False),
    ]
    optimization = [
        change("lr0.8", lr=0.8),
        change("batch32", batch_size=32),
        change("batch32_lr0.2", batch_size=32, lr=0.2),
        change("momentum0.95", momentum=0.95),
        change("linear", lr_shape="linear"),
        change("one_cycle", lr_shape="linear", warm_up=1.5),
        change("nesterov", optimizer="nesterov"),
        change("adam", optimizer="adam", lr=0.002, l2=0.0),
        change("bias_lr2", bias_lr=2.0),
    ]
    regularization = [
        change("l2_1e-3", l2=1e-3),
        change("l2_2e-3", l2=2e-3),
        change("l2_kernels", l2_on="kernels"),
        change("l2_binary", l2_on="binary"),
        change("label_smoothing", label_smoothing=0.1),
        change("average", average_from=0.8),
        change("padding2", padding=2),
        change("alternating_flips", alternating_flips=True),
        change("small24", small_epochs=2),
    ]
    temperatures = [
        change("tau0.85", tau_shape="constant"),
        change("tau0.99", tau_shape="constant", tau_min=0.99),
        change("tau_linear", tau_shape="linear"),
    ]
    taught = {**TAUGHT_BY_FIRST, "first_epochs": 1}
    by_mean = {**MEAN_TEACHER, "optimizer": "nesterov"}
    starts = [
        change("whitened_stem", whitened_stem=True),
        change("gamma0.5", gamma=0.5),
        change("from_float", first_stage="float", first_epochs=1),
        change("from_activations", first_stage="binary_activations", first_epochs=1),
        change("two_stages", first_stage="binary_activations", first_epochs=2),
        change("taught", distill_weight=0.9),
        change("taught_by_first", **taught),
        change("taught_from_first", **{**taught, "first_starts": True}),
        change("taught_alone", **{**taught, "distill_weight": 1.0}),
        change("taught_nesterov", **taught, optimizer="nesterov"),
        change("mean_teacher", **by_mean),
        change("mean_teacher0.99", **{**by_mean, "mean_teacher": 0.99}),
        change("mean_teacher_weight0.8", **{**by_mean, "distill_weight": 0.8}),
    ]
    return [*gradients, *optimization, *regularization, *temperatures, *starts]


def _list_long(base: Trial) -> list[Trial]:
    """For 20 epochs: the rates anew, with Nesterov's momentum, and one change of the best each."""
    long = replace(base, name="long", epochs=20, optimizer="nesterov", lr=0.1, warm_up=2.0)
    taught = {**TAUGHT_BY_FIRST, "first_epochs": 5, "first_lr": 0.1}
    mean_teacher = {**MEAN_TEACHER, "mean_teacher": 0.95}
    by_relus = {
        **TAUGHT_BY_FIRST,
        "first_stage": FLOAT_RELU,
        "first_lr": 0.1,
        "lr": 0.2,
        "warm_up": 1.0,
        "padding": 2,
    }

    def change(name: str, **changes: object) -> Trial:
        return replace(long, name=f"long_{name}", **changes)

    return [
        long,
        change("lr0.4", lr=0.4),
        change("lr0.2", lr=0.2),
        change("lr0.05", lr=0.05),
        change("padding2", padding=2),
        change("padding2_lr0.2", padding=2, lr=0.2),
        change("padding2_lr0.05", padding=2, lr=0.05),
        change("padding1", padding=1),
        change("box1.5", slope="box", width=1.5),
        change("label_smoothing", label_smoothing=0.1),
        change("taught", **taught),
        change("taught_by_relus4", **by_relus, first_epochs=4),
        change("taught_by_relus6", **by_relus, first_epochs=6),
        change("bell", slope="bell", padding=2, lr=0.2),
        change("mean_teacher", **MEAN_TEACHER, padding=2, lr=0.2),
        change("mean_teacher0.95", **mean_teacher, padding=2, lr=0.2),
        change("mean_teacher_lr0.1", **MEAN_TEACHER, padding=2),
        change("padding2_batch32", padding=2, batch_size=32),
        change("padding2_kernel_lr4", padding=2, kernel_lr=4.0),
        change("padding2_l2_2e-4", padding=2, l2=2e-4),
        change("padding2_l2_1e-3", padding=2, l2=1e-3),
        change("padding2_l2_2e-3", padding=2, l2=2e-3),
        change("padding2_l2_1e-3_lr0.2", padding=2, l2=1e-3, lr=0.2),
        change("padding2_l2_1e-3_batch32", padding=2, l2=1e-3, batch_size=32),
        change("padding2_l2_1e-3_kernel_lr4", padding=2, l2=1e-3, kernel_lr=4.0),
        change("padding2_l2_1e-3_raw", padding=2, l2=1e-3, standardized=False),
        change("padding2_l2_1e-3_tau0.99", padding=2, l2=1e-3, tau_shape="constant", tau_min=0.99),
        change("padding2_linear", padding=2, lr_shape="linear"),
        change("padding2_quadratic_lr0.2", padding=2, lr_shape="quadratic", lr=0.2),
        change(
            "padding2_l2_1e-3_quadratic_lr0.2", padding=2, l2=1e-3, lr_shape="quadratic", lr=0.2
        ),
        change("padding2_raw", padding=2, standardized=False),
        change("padding2_tau0.99", padding=2, tau_shape="constant", tau_min=0.99),
        change("padding2_seed1", padding=2, seed=1),
        change("padding2_seed2", padding=2, seed=2),
        *_list_more_l2(replace(long, padding=2, l2=1e-3)),
        *_list_turns(replace(long, padding=2)),
    ]


def _list_more_l2(base: Trial) -> list[Trial]:
    """One change each of the trial of 20 epochs with twice as much L2."""

    def change(name: str, **changes: object) -> Trial:
        return replace(base, name=f"long_l2_1e-3_{name}", **changes)

    late = {"tau_shape": "constant", "tau_min": 0.99}
    return [
        change("seed1", seed=1),
        change("seed2", seed=2),
        change("tau0.99_seed1", **late, seed=1),
        change("tau0.99_seed2", **late, seed=2),
        change("quadratic", lr_shape="quadratic"),
        change("momentum0.95", momentum=0.95, lr=0.05),
        change("mean_teacher0.95", mean_teacher=0.95, distill_weight=0.5),
        change("leak0.1", leak=0.1),
        change("power", slope="power", width=1.5),
        change("box0.7", slope="box", width=0.7),
        change("tent0.7", width=0.7),
        change("tent0.5", width=0.5),
        change("tent1.6_to_1", width=1.6, last_width=1.0),
        change("tent1.6_to_0.7", width=1.6, last_width=0.7),
        change("tent1_to_0.5", last_width=0.5),
        change("norms_5e-4", norm_l2=0.5),
        change("norms_4e-3_falls", norm_l2=4.0, l2_falls=True),
    ]


def _list_turns(base: Trial) -> list[Trial]:
    """Steps of binary kernels that change a share of them, and other amounts of L2."""

    def turn(optimizer: str, share: float) -> Trial:
        name, factor = f"long_{optimizer}{share}", round(share / base.lr, 6)
        return replace(base, name=name, kernel_optimizer=optimizer, kernel_lr=factor)

    return [
        replace(base, name="long_norms_l2_2e-3", norm_l2=4.0),
        replace(base, name="long_l2_2e-3_falls", l2=2e-3, l2_falls=True),
        *(turn("turn", share) for share in (0.01, 0.03, 0.06)),
        *(turn("adam", share) for share in (0.01, 0.03, 0.1, 0.3)),
        *(turn("muon", share) for share in (0.003, 0.01, 0.03)),
        replace(turn("muon", 0.03), name="long_muon0.03_quadratic", lr_shape="quadratic"),
    ]


TRIALS = {trial.name: trial for trial in (*_list_rates(), *_list_changes(BASE), *_list_long(BASE))}
