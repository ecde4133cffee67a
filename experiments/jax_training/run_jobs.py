"""Trains jobs with JAX alone, on a machine without TensorFlow: see README.md here.

    python run_jobs.py FOLDER OUT JOB [JOB ...] [--minutes N]

It needs a folder that `write_job` filled, JAX and NumPy, and no other file of the project.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

# JAX has no public name for reading HLO.
from jax._src.interpreters import mlir
from jax._src.lib import _jax
from jax._src.lib.mlir import ir
from jax._src.lib.mlir.dialects import hlo

jax.config.update("jax_enable_x64", True)  # labels and counters are int64
SAVED_EVERY = 60  # seconds


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of `compiled_function.py`, which JAX can trace.

    Attributes:
        call: from arguments and values of the variables to results and new values.
        variables: their names.
        results: how many results come before the new values.
        updates: for each new value, the index of its variable.
    """

    call: Callable
    variables: list[str]
    results: int
    updates: list[int]

    def __call__(self, state: dict, *arguments: jax.Array) -> tuple[list[jax.Array], dict]:
        """The results, and the state with the new values."""
        given = self.call(*arguments, *(state[name] for name in self.variables))
        new = zip(self.updates, given[self.results :], strict=True)
        return given[: self.results], {**state, **{self.variables[i]: value for i, value in new}}


def read_function(path: Path, state: dict) -> Function:
    """Reads the function `path`.hlo, whose variables are in `state`."""
    described = json.loads(path.with_suffix(".json").read_text())
    variables = [state[name] for name in described["variables"]]
    arguments, results = (
        [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in described[key]]
        for key in ("arguments", "results")
    )
    given = [*results, *(variables[index] for index in described["updates"])]
    # JAX calls what it exported itself, so its export of a function of the same types gets another
    # module.
    stand_in = jax.jit(lambda *_: [jnp.zeros(r.shape, r.dtype) for r in given], keep_unused=True)
    exported = export.export(stand_in)(*arguments, *variables)
    module = read_module(path.with_suffix(".hlo").read_bytes())
    exported = dataclasses.replace(exported, mlir_module_serialized=module)
    return Function(exported.call, described["variables"], len(results), described["updates"])


def read_module(serialized: bytes) -> bytes:
    """The module that JAX exports, from serialised HLO."""
    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(serialized))
        for function in module.body:
            for block in function.regions[0]:
                for view in list(block):
                    operation = view.operation
                    if operation.name == "mhlo.copy":  # StableHLO has none, and needs none
                        operation.result.replace_all_uses_with(operation.operands[0])
                        operation.erase()
        return _jax.mlir.serialize_portable_artifact(module, hlo.get_current_version())


def normalize(pixels: jax.Array, job: dict) -> jax.Array:
    """The images of a job as its network takes them, from uint8 pixels."""
    mean, std = (np.asarray(job[name], np.float32) for name in ("mean", "std"))
    return (pixels.astype(jnp.float32) / 255 - mean) / std


def make_epoch(job: dict, function: Function, size: tuple[int, int]) -> Callable:
    """A compiled function that trains an epoch.

    Returns:
        From the state, the padded pixels and labels of all images, the temperature, and for each
        step the images of its batch, their shifts and flips and the learning rate, to the state,
        the losses, and the top-1 after each step.
    """

    def train_epoch(state, padded, labels, tau, orders, shifts, flips, rates):
        state = {**state, **dict.fromkeys(job["taus"], tau)}
        state |= {name: jnp.zeros_like(state[name]) for name in job["metrics"]}

        def crop(index, shift, flipped):
            start = index, shift[0], shift[1], jnp.int32(0)
            image = jax.lax.dynamic_slice(padded, start, (1, *size, padded.shape[-1]))[0]
            return jnp.where(flipped, image[:, ::-1], image)

        def step(state, batch):
            order, shift, flip, rate = batch
            images = normalize(jax.vmap(crop)(order, shift, flip), job)
            (loss, top_1), state = function({**state, job["rate"]: rate}, images, labels[order])
            return state, (loss, top_1)

        state, (losses, top_1) = jax.lax.scan(step, state, (orders, shifts, flips, rates))
        return state, losses, top_1

    return jax.jit(train_epoch, donate_argnums=0)


def make_evaluation(job: dict, function: Function, at_once: int) -> Callable:
    """A compiled function from the state, pixels and labels to the top-1, from 0 to 1."""

    def evaluate(state, pixels, labels):
        def share_right(batch):
            images, right = batch
            (logits,), _ = function(state, normalize(images, job))
            return (logits.argmax(1) == right).mean()

        batches = [array.reshape(-1, at_once, *array.shape[1:]) for array in (pixels, labels)]
        return jax.lax.map(share_right, tuple(batches)).mean()

    return jax.jit(evaluate)


def draw_epoch(job: dict, epoch: int, images: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each step of an epoch the images of its batch, their shifts and their flips."""
    random = np.random.default_rng([job["seed"], epoch])
    shape = len(images) // job["batch_size"], job["batch_size"]
    order = random.permutation(images)[: shape[0] * shape[1]].reshape(shape)
    shifts = random.integers(0, 2 * job["padding"] + 1, (*shape, 2), np.int32)
    return order.astype(np.int32), shifts, random.random(shape) < 0.5


class Trainer:
    """Trains the jobs of a folder; those that it had begun before go on.

    Args:
        folder: of the jobs.
        out: for JOB.npz, the state, and JOB.jsonl, a line for each epoch.
        deadline: in the seconds of `time.time`; no epoch begins that would end after it.
    """

    def __init__(self, folder: Path, out: Path, deadline: float):
        self.folder, self.out, self.deadline = folder, out, deadline
        with np.load(folder / "images.npz") as file:
            self.pixels, self.labels = file["pixels"], jnp.asarray(file["labels"])

    def train(self, name: str) -> None:
        """Trains a job to its end, or as far as the deadline allows."""
        directory = self.folder / name
        job = json.loads((directory / "job.json").read_text())
        state_path, lines_path = self.out / f"{name}.npz", self.out / f"{name}.jsonl"
        lines = lines_path.read_text().splitlines() if lines_path.exists() else []
        with np.load(state_path if lines else directory / "state.npz") as file:
            # On a device, as what an epoch returns is, so that the second epoch need not compile.
            state = {key: jax.device_put(file[key], jax.devices()[0]) for key in file}
        with np.load(directory / "arrays.npz") as file:
            arrays = dict(file)
        if len(lines) == len(arrays["taus"]):
            return
        train = read_function(directory / "train", state)
        predict = read_function(directory / "predict", state)
        at_once = json.loads((directory / "predict.json").read_text())["arguments"][0][0][0]
        train_epoch = make_epoch(job, train, self.pixels.shape[1:3])
        evaluate = make_evaluation(job, predict, at_once)
        edge = job["padding"], job["padding"]
        padded = jnp.asarray(np.pad(self.pixels, ((0, 0), edge, edge, (0, 0))))
        evaluated = jnp.asarray(self.pixels[arrays["evaluated"]])
        right = self.labels[arrays["evaluated"]]
        saved, longest, compiled = time.time(), 0.0, False
        for epoch in range(len(lines), len(arrays["taus"])):
            begun = time.time()
            if begun + longest > self.deadline:
                break
            batches = draw_epoch(job, epoch, arrays["training"])
            state, losses, top_1 = train_epoch(
                state, padded, self.labels, arrays["taus"][epoch], *batches, arrays["rates"][epoch]
            )
            losses = np.asarray(losses)
            seconds = time.time() - begun
            line = {
                "epoch": epoch,
                "loss": round(float(losses.mean()), 4),
                "training_top_1": round(100 * float(top_1[-1]), 2),
                "top_1": round(100 * float(evaluate(state, evaluated, right)), 2),
                "seconds": round(seconds, 2),
                "device": jax.devices()[0].device_kind,
                "jax": jax.__version__,
            }
            lines.append(json.dumps(line))
            print(name, lines[-1], flush=True)
            # The first epoch compiles, so that it says nothing of the next ones.
            longest = max(longest, time.time() - begun) if compiled else 0.0
            compiled = True
            if time.time() - saved > SAVED_EVERY:
                save(state, state_path, lines, lines_path)
                saved = time.time()
        save(state, state_path, lines, lines_path)


def save(state: dict, state_path: Path, lines: list[str], lines_path: Path) -> None:
    """Writes the state and the lines, each aside first, so that an interruption leaves the last."""
    aside = state_path.with_suffix(".part.npz")
    np.savez(aside, **{name: np.asarray(value) for name, value in state.items()})
    os.replace(aside, state_path)
    aside = lines_path.with_suffix(".part")
    aside.write_text("".join(f"{line}\n" for line in lines))
    os.replace(aside, lines_path)


def main() -> None:
    """Trains the jobs that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="that write_job filled")
    parser.add_argument("out", type=Path, help="for the results")
    parser.add_argument("jobs", nargs="+", metavar="JOB")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which to stop")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options.folder, options.out, time.time() + 60 * options.minutes)
    for name in options.jobs:
        trainer.train(name)


if __name__ == "__main__":
    main()
