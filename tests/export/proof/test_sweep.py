import operator_cases
import pytest

from export.proof import sweep
from export.proof.single_operator import Convolution, Pool
from export.tflite.backends import BACKENDS

DEFAULT = "optimized"
WIDE = Convolution((2, 2), (3, 3))


def test_engine_is_wrong_where_windows_hold_the_map_and_more():
    cases = [WIDE, WIDE._replace(size=(3, 3)), WIDE._replace(pad_values=1)]
    found = sweep.sweep([*cases, Convolution((1, 1), (3, 3), padding="VALID")])
    assert found[DEFAULT] == (2, 1, 0, 0, 0)
    assert found["indirect bgemm"] == found[DEFAULT]
    assert found["reference"] == (3, 0, 0, 0, 0)


def test_backends_say_what_they_refuse():
    groups = Convolution((4, 4), (3, 3), channels=64, groups=2)
    odd = Convolution((4, 4), (3, 3), channels=33)
    found = sweep.sweep([groups, odd])
    assert (found[DEFAULT].refused, found["reference"].refused) == (1, 1)
    assert found["indirect bgemm"].right == 2


def test_wrong_results_that_sizes_do_not_tell_are_counted(monkeypatch):
    monkeypatch.setattr(sweep, "is_wide", lambda *axis: False)
    assert sweep.sweep([WIDE])[DEFAULT].unknown == 1
    monkeypatch.setattr(sweep, "is_wide", lambda *axis: True)
    assert sweep.sweep([WIDE._replace(size=(3, 3))])[DEFAULT].harmless == 1


def test_bits_and_pools_are_swept():
    cases = [
        Convolution((5, 4), (3, 3), (2, 1), (1, 2), pad_values=1, filters=33, output="BITS"),
        Pool((5, 4), (2, 3), (2, 1), channels=33, batch=2),
    ]
    assert all(found == (2, 0, 0, 0, 0) for found in sweep.sweep(cases).values())


# About 1600 of the 41,000 cases, the same ones every time.
@pytest.mark.slow
@pytest.mark.parametrize("name", sweep.SWEEPS)
def test_sizes_tell_exactly_what_the_engine_computes_wrongly(name):
    every = 3 if name == "activations" else 24
    found = sweep.sweep(operator_cases.sample(name, every))
    assert set(found) == set(BACKENDS)
    for backend, outcome in found.items():
        assert sum(outcome) > 0
        assert (outcome.unknown, outcome.harmless) == (0, 0), backend
        assert outcome.refused == 0 or (backend, name) in (
            ("reference", "channels, filters, batch"),
            ("optimized", "groups"),
            ("optimized with XNNPACK", "groups"),
        )
