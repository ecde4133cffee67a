from experiments.docs.source_pages import write_source_page


def test_a_source_is_shown_as_it_is(tmp_path):
    source = tmp_path / "code" / "step.cc"
    source.parent.mkdir()
    source.write_text("int main() {}\n")
    page = write_source_page(source, tmp_path)
    assert page == "# code/step.cc\n\n````cpp\nint main() {}\n````\n"


def test_a_folder_is_shown_file_by_file(tmp_path):
    folder = tmp_path / "code"
    (folder / "java").mkdir(parents=True)
    (folder / "first.h").write_text("// one\n")
    (folder / "java" / "Second.java").write_text("// two\n")
    page = write_source_page(folder, tmp_path)
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == ["# code", "## first.h", "## java/Second.java"]
    assert "````java\n// two\n````" in page
