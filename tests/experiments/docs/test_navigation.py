from test_docs import PAGES, TREE

from experiments.docs.run_notebooks import NOTEBOOKS

NAVIGATION = (TREE / "experiments" / "docs" / "mkdocs.yml").read_text("utf-8")


def test_each_page_is_in_the_navigation_of_the_site():
    """Otherwise `make docs` fails, which not everybody runs."""
    names = [page.relative_to(TREE).as_posix() for page in PAGES]
    assert [name for name in names if f": {name}\n" not in NAVIGATION] == []


def test_each_notebook_is_in_the_navigation_of_the_site():
    missing = [name for name in NOTEBOOKS if f"notebooks/{name}.md\n" not in NAVIGATION]
    assert missing == []
