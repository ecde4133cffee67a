"""What the command line says of a mistake."""

from experiments import cli


def complaint(capsys, *arguments):
    """The one line with which a command refuses its arguments."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err
