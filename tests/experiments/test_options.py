from dataclasses import fields

import pytest

from experiments.commands.parser import command_parser
from recu_tf.settings import Settings

SETTINGS = {field.name: field for field in fields(Settings)}


def parsed(*arguments):
    return vars(command_parser().parse_args(["train", *arguments]))


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_an_option_of_its_type(name):
    field = SETTINGS[name]
    if field.type is bool:
        assert parsed(f"--{name}")[name] is True
        assert parsed(f"--no-{name}")[name] is False
        return
    text = {str: str(field.default), float: "0.5", float | None: "0.5"}.get(field.type, "7")
    values = {
        int: 7,
        int | None: 7,
        float: 0.5,
        float | None: 0.5,
        tuple[int, ...]: [(7,)],
        tuple[str, ...]: ["7"],
    }
    value = values.get(field.type, text)
    assert parsed(f"--{name}", text)[name] == value
    assert parsed(f"--{name.replace('_', '-')}", text)[name] == value


def test_settings_that_are_not_given_are_left_to_recipes_and_runs():
    assert not parsed().keys() & SETTINGS.keys()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("epochs", "(default: 600; imagenet: 200)"),
        ("lr", "(default: 0.1)"),
        ("lr_decay_step", "(default: none)"),
        ("diagnostics", "(default: on)"),
        ("precision", "(default: float32)"),
    ],
)
def test_help_shows_the_default_of_a_setting(name, shown):
    parser = command_parser()._subparsers._group_actions[0].choices["train"]
    (action,) = (action for action in parser._actions if action.dest == name)
    assert action.help.endswith(shown)
