"""The command `recu`.

A mistake of the user is one line on standard error; `main` lists the exit codes. Parsing imports
neither TensorFlow nor the library, which take seconds to load.
"""

import sys
import warnings

from experiments.commands import list_recipes
from experiments.commands.parser import COMMANDS, command_parser
from experiments.tensorflow_start import load_tensorflow


def _prepare_tensorflow() -> None:
    # Keras', for initializers that are functions, as larq-zoo has them: nothing users can change.
    warnings.filterwarnings("ignore", r"The `keras.initializers.serialize\(\)` API")
    warnings.formatwarning = lambda message, *_, **__: f"recu: warning: {message}\n"
    load_tensorflow()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code: 0; 1 for an export that fails the verification; 2 for a user's mistake; 3 for
        a loss that is not finite; 4 if another process of a training is gone; 128 plus the number
        of the signal that ended a training, such as 130 or 143.

    Raises:
        SystemExit: arguments that cannot be parsed (2), or after --help (0).
    """
    parser = command_parser()
    options = parser.parse_args(arguments)
    # Some commands print how to continue.
    options.arguments = sys.argv[1:] if arguments is None else list(arguments)
    if options.version:
        from importlib import metadata

        print(f"recu_tf {metadata.version('recu_tf')}")
        return 0
    if not hasattr(options, "run"):
        *names, last = (command.NAME for command in COMMANDS)
        parser.error(f"a COMMAND is needed: {', '.join(names)} or {last}")
    try:
        if options.run is not list_recipes.run:
            _prepare_tensorflow()
        options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"recu: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Exception as error:
        # Exceptions that choose their own exit code have a report to show; others are bugs.
        if not hasattr(error, "exit_code"):
            raise
        print(f"recu: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("recu: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
