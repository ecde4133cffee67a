"""The parser of `recu`: all subcommands together."""

from experiments.commands import (
    benchmark,
    demo,
    evaluate,
    export,
    import_checkpoint,
    list_recipes,
    summary,
    train,
    verify,
    write_report,
)
from experiments.options import Parser

__all__ = ["COMMANDS", "command_parser"]

COMMANDS = (
    train,
    list_recipes,
    evaluate,
    import_checkpoint,
    summary,
    write_report,
    export,
    verify,
    benchmark,
    demo,
)


def command_parser() -> Parser:
    """The parser of `recu`; the options that it parses hold the command's function as `run`."""
    parser = Parser(prog="recu", description="Binary neural networks with ReCU, on Larq.")
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.NAME, help=command.HELP, description=command.DESCRIPTION
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
