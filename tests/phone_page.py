"""The commands of the page "From a published checkpoint to a phone"."""

import re
import subprocess
from pathlib import Path

TREE = Path(__file__).parents[1]
PAGE = (TREE / "export" / "FROM_CHECKPOINT_TO_PHONE.md").read_text("utf-8")


def find_code(language):
    """The blocks of code in a language, without continued lines."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return [block.replace("\\\n", " ") for block in blocks]


def build(folder, place, without="", more=""):
    """Runs the two commands that build a folder, as if `place` were the project.

    Args:
        folder: to build.
        place: where the commands run; other files may lie there.
        without: a pattern of the options to leave out.
        more: options for the first command.

    Returns:
        The path of the folder.
    """
    named = re.compile(rf"^cmake .*\b{folder}( |$)")
    lines = [line for block in find_code("sh") for line in block.splitlines()]
    configure, compile_all = filter(named.match, lines)
    (place / "export").symlink_to(TREE / "export")
    for command in (re.sub(without, "", configure) + f" {more}", compile_all):
        done = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    # No warning of the compiler either.
    assert done.stderr == ""
    return place / folder
