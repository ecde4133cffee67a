from dataclasses import replace

from export.bundle.verification_section import describe_verification
from export.proof.verification import Verification

ENGINE = Verification(
    images=16,
    share_within=1.0,
    agreement=1.0,
    largest_difference=1e-5,
    tolerance=1e-3,
    keras_accuracy=0.75,
    tflite_accuracy=0.75,
    source="random images",
)
DELEGATE = replace(
    ENGINE,
    share_within=0.875,
    largest_difference=2e-5,
    interpreter="the delegate in LiteRT",
)


def rows(described):
    return {row[0]: row[1:] for row in described["table"].rows}


def test_each_interpreter_has_a_column():
    described = describe_verification(replace(ENGINE, delegate=DELEGATE))
    assert list(described["table"].header) == [
        "",
        "Larq Compute Engine",
        "The delegate in LiteRT",
        "Required",
    ]
    found = rows(described)
    assert found["Images within 1.0e-03 of Keras"] == ["100.0%", "87.5%", "75%"]
    assert found["Largest difference"][:2] == ["1.0e-05", "2.0e-05"]
    assert "Grossly different images" not in found
    assert described["notes"] == []


def test_differences_of_one_interpreter_are_shown_with_its_name():
    apart = replace(DELEGATE, gross=1, taken_apart=True, agreement=None)
    described = describe_verification(replace(ENGINE, delegate=apart))
    assert rows(described)["Grossly different images"][:2] == ["0", "1"]
    assert rows(described)["Same top-1 class"][:2] == ["100.0%", "\N{EN DASH}"]
    (note,) = described["notes"]
    assert note.startswith("The delegate in LiteRT: every layer is right by itself")
    both = describe_verification(replace(ENGINE, taken_apart=True, delegate=apart))
    (note,) = both["notes"]
    assert note.startswith("Every layer is right by itself")


def test_delegate_that_did_not_run_is_mentioned_with_the_reason():
    described = describe_verification(replace(ENGINE, without_delegate="there is no compiler"))
    assert len(described["table"].header) == 3
    assert described["notes"] == ["The delegate did not run: there is no compiler."]
    refused = replace(ENGINE, refusing={"delegate": "node 3 is odd"}, backends=("reference",))
    described = describe_verification(refused)
    assert "the delegate cannot run this file" in described["warning"]
    assert "Backends that run it: reference; delegate refuses it" in described["table"].caption
