from pathlib import Path

import recu_tf
from experiments.docs.api_pages import find_public_modules, write_api_pages

TREE = Path(recu_tf.__file__).parents[1]


def test_each_public_module_has_a_page():
    modules = find_public_modules(TREE)
    assert {f"recu_tf.{name}" for name in recu_tf.__all__} < set(modules)
    pages = write_api_pages(TREE)
    assert [name for name in modules if f"::: {name}\n" not in pages[name]] == []
    assert [name for name in modules if f"({name}.md)" not in pages["index"]] == []


def test_each_page_is_in_the_navigation():
    navigation = (TREE / "experiments" / "docs" / "mkdocs.yml").read_text("utf-8")
    missing = [name for name in write_api_pages(TREE) if f" api/{name}.md" not in navigation]
    assert missing == []
