"""Checks a built site: every link leads somewhere, and nothing is read from a network."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["find_faults"]


class _Addresses(HTMLParser):
    """Collects what a page links to, what it loads, and the names of its parts."""

    def __init__(self):
        super().__init__()
        self.links, self.loaded, self.parts = [], [], set()

    def handle_starttag(self, tag, attrs):
        """Takes the addresses of a tag."""
        given = dict(attrs)
        self.parts |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if given.get(name):
                kind = self.links if tag == "a" else self.loaded
                kind.append(given[name])


@cache
def _read(page: Path) -> _Addresses:
    addresses = _Addresses()
    addresses.feed(page.read_text("utf-8"))
    return addresses


def find_faults(site: Path) -> list[str]:
    """One line for each link that leads nowhere, and for each file that comes from a network.

    Args:
        site: the folder of the built site.
    """
    faults = []
    for page in sorted(site.rglob("*.html")):
        # Only a server shows it, in any folder, and so its links begin at the server's root.
        if page == site / "404.html":
            continue
        name = page.relative_to(site)
        addresses = _read(page)
        for address in addresses.loaded:
            if urlsplit(address).netloc:
                faults.append(f"{name} loads {address} from a network.")
        for address in addresses.links + addresses.loaded:
            if not _exists(address, page):
                faults.append(f"{name} links to {address}, which does not exist.")
    for style in sorted(site.rglob("*.css")):
        for address in re.findall(r"url\(\"?(https?://[^)]*)", style.read_text("utf-8")):
            faults.append(f"{style.relative_to(site)} loads {address} from a network.")
    return faults


def _exists(address: str, page: Path) -> bool:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return True
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return False
    wanted = unquote(parts.fragment)
    # Material's own: the top of a page.
    if not wanted or wanted in ("__skip", "__nav", "__toc") or target.suffix != ".html":
        return True
    return wanted in _read(target).parts
