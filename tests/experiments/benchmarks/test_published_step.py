import sys

import pytest

from experiments.benchmarks import published_step
from experiments.benchmarks.published_step import find_problem, make_published_step

NETWORK = """
import torch
from utils import args

class Tiny(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.linear = torch.nn.Linear(3 * 32 * 32, num_classes)
        self.register_buffer("tau", torch.tensor(1.0))

    def forward(self, images):
        return self.linear(images.flatten(1)) * self.tau

tiny = Tiny
"""
OPTIONS = "import argparse\nargs = argparse.ArgumentParser().parse_args()\n"


def write_checkout(folder):
    contents = {"modules": "", "models_cifar": NETWORK, "utils": OPTIONS}
    for name, content in contents.items():
        module = folder / "cifar" / name / "__init__.py"
        module.parent.mkdir(parents=True)
        module.write_text(content)
    return str(folder)


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    assert "--published DIR" in find_problem(None)
    assert "no package modules and no models_cifar and no utils" in find_problem(str(tmp_path))
    checkout = write_checkout(tmp_path)
    monkeypatch.setattr(published_step.importlib.util, "find_spec", lambda name: None)
    assert find_problem(checkout) == "torch is not installed"


def test_step_of_a_checkout_trains_and_the_command_line_stays(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs torch")
    checkout = write_checkout(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest", "--unknown"])
    assert find_problem(checkout) is None
    path = list(sys.path)
    try:
        step = make_published_step(checkout, "tiny", 4)
        assert sys.modules["models_cifar"].__file__.startswith(checkout)
    finally:
        for name in ("models_cifar", "utils"):
            sys.modules.pop(name, None)
    assert sys.argv == ["pytest", "--unknown"]
    assert sys.path == path
    losses = [step() for _ in range(20)]
    assert losses[-1] < losses[0]
