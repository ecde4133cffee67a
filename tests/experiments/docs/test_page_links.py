from experiments.docs.page_links import find_local_links, replace_links

PAGE = """See [a](a.md#part), ![a picture](b.svg),
[the web](https://example.org) and [below](#part).

```python
table[0](c.md)
```

Or `[name](d.md)`.
"""


def test_links_to_other_files_are_found_and_those_in_code_are_not():
    assert find_local_links(PAGE) == ["a.md#part", "b.svg"]


def test_links_are_replaced_and_all_else_stays():
    replaced = replace_links(PAGE, lambda link: f"new/{link}")
    assert replaced.replace("new/", "") == PAGE
    assert find_local_links(replaced) == ["new/a.md#part", "new/b.svg"]
