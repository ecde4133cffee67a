r"""Markdown extension: a formula between \[ and \] is a block of its own, also within a paragraph.

The docstrings have formulas in the line below "Forward:", where Markdown would see a sentence.
"""

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

__all__ = ["FormulaBlocks", "makeExtension"]


class _BlankLines(Preprocessor):
    """Puts a blank line before and behind each formula."""

    def run(self, lines: list[str]) -> list[str]:
        """Takes and returns the lines of a text."""
        parted = []
        for line in lines:
            if line.lstrip().startswith(r"\["):
                parted.append("")
            parted.append(line)
            if line.rstrip().endswith((r"\]", r"\],", r"\].")):
                parted.append("")
        return parted


class FormulaBlocks(Extension):
    """The extension, for the names in `mkdocs.yml`."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Adds itself to a converter, behind what takes blocks of code out."""
        md.preprocessors.register(_BlankLines(md), "formula_blocks", 22)


def makeExtension(**options: object) -> FormulaBlocks:
    """Makes the extension, as Markdown asks a module to."""
    return FormulaBlocks(**options)
