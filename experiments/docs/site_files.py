"""MkDocs hook: makes one site of the pages in all folders, the sources they name and the API.

Each page keeps its path in the repository as its source, so that the links between pages are the
same in a clone and on the site.
"""

import html
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from experiments.docs.api_pages import write_api_pages
from experiments.docs.notebook_pages import write_notebook_page
from experiments.docs.page_links import find_local_links, replace_links
from experiments.docs.site_check import find_faults
from experiments.docs.source_pages import write_source_page

TREE = Path(__file__).parents[2]
PAGES = Path(__file__).parent / "pages"
NOTEBOOKS = Path(__file__).parent / "notebooks"
FOLDERS = ("recu_tf", "experiments", "export")
SHOWN, TEXTS = (".png", ".svg"), (".md", ".ipynb")


def find_pages() -> list[Path]:
    """The Markdown files of the project, in all folders."""
    found = [*TREE.glob("*.md")]
    for folder in FOLDERS:
        found += (TREE / folder).rglob("*.md")
    return sorted(path for path in found if "build" not in path.relative_to(TREE).parts)


def find_place(source: str) -> str:
    """The place of a file on the site, from its path in the repository."""
    # MkDocs would make it the first page.
    if source == "README.md":
        return "project.html"
    own = f"{PAGES.relative_to(TREE).as_posix()}/"
    return posixpath.splitext(source.removeprefix(own))[0] + ".html"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces what MkDocs found in `pages` by the files of the whole repository."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        if file.is_documentation_page():
            files.remove(file)
    sources = set()
    for path in find_pages():
        _add(files, config, path.relative_to(TREE).as_posix(), path=path)
        sources |= find_sources(path)
    for path in sorted(sources):
        name = path.relative_to(TREE).as_posix()
        if path.suffix in SHOWN:
            files.append(File.generated(config, name, abs_src_path=str(path)))
        else:
            _add(files, config, f"source/{name}.md", content=write_source_page(path, TREE))
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        name = path.relative_to(TREE).with_suffix(".md").as_posix()
        _add(files, config, name, content=write_notebook_page(path))
    for name, content in write_api_pages(TREE).items():
        _add(files, config, f"api/{name}.md", content=content)
    return files


def _add(
    files: Files, config: MkDocsConfig, source: str, *, path: Path | None = None, content: str = ""
) -> None:
    given = {"abs_src_path": str(path)} if path else {"content": content}
    file = File.generated(config, source, **given)
    if not source.endswith("/README.md"):
        file.dest_uri = find_place(source)
    files.append(file)


def find_sources(page: Path) -> set[Path]:
    """The files and folders of the repository that a page links to and that are no pages."""
    targets = {
        (page.parent / link.partition("#")[0]).resolve()
        for link in find_local_links(page.read_text("utf-8"))
    }
    return {target for target in targets if target.suffix not in TEXTS and target.exists()}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links to sources and notebooks into links to the pages that show them."""
    folder = posixpath.dirname(page.file.src_uri)

    def find_target(link: str) -> str:
        if link.endswith(".ipynb"):
            return f"{link.removesuffix('.ipynb')}.md"
        path = f"source/{posixpath.normpath(posixpath.join(folder, link))}.md"
        return posixpath.relpath(path, folder) if path in files.src_uris else link

    return replace_links(markdown, find_target)


FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

# No browser without a font for mathematics makes an accent as wide as what it stands over.
OVERLINE = re.compile(r'<mover>(.*?)<mo accent="true">&#x02015;</mo></mover>')


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns formulas into MathML, which browsers show without a library."""

    def write_formula(match: re.Match) -> str:
        display = "block" if match[1] == "div" else "inline"
        mathml = convert(html.unescape(match[2]).strip(), display=display)
        return OVERLINE.sub(r'<mrow class="overline">\1</mrow>', mathml)

    return FORMULA.sub(write_formula, content)


def on_post_build(config: MkDocsConfig) -> None:
    """Fails if a link of the built site leads nowhere, or the site would read from a network."""
    faults = find_faults(Path(config.site_dir))
    if faults:
        raise SystemExit("\n".join(faults))
