"""The links of Markdown pages to other files of the repository."""

import re
from collections.abc import Callable

__all__ = ["find_local_links", "replace_links"]

CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s]+)(?=\))")


def find_local_links(markdown: str) -> list[str]:
    """The targets of a page's links and pictures, without those to other hosts and to itself."""
    found = []
    replace_links(markdown, lambda link: found.append(link) or link)
    return found


def replace_links(markdown: str, find_target: Callable[[str], str]) -> str:
    """Gives each link to another file of the repository the target that a function returns.

    What looks like a link in a block of code, or between backticks, stays.

    Args:
        markdown: text of a page.
        find_target: from the old target to the new one.
    """

    def replace(match: re.Match) -> str:
        link = match[2]
        local = not re.match(r"[a-z]+:|#", link)
        return match[1] + (find_target(link) if local else link)

    parts = CODE.split(markdown)
    # Every second part is code.
    parts[::2] = [LINK.sub(replace, part) for part in parts[::2]]
    return "".join(parts)
