"""Pages that show files and folders of the repository, for the links that lead to them."""

from pathlib import Path

__all__ = ["write_source_page"]

# The names that the highlighter knows, where they are not the suffix.
LANGUAGES = {".cc": "cpp", ".h": "cpp", ".py": "python", ".txt": "text"}


def write_source_page(path: Path, tree: Path) -> str:
    """The Markdown of a page that shows a file, or lists the files of a folder.

    Args:
        path: of the file or folder.
        tree: the repository.
    """
    title = f"# {path.relative_to(tree).as_posix()}\n\n"
    if path.is_dir():
        # In turn, so that every listed file can be read.
        shown = [file for file in sorted(path.rglob("*")) if file.is_file()]
        return title + "\n\n".join(_show(file, path) for file in shown)
    return title + _write_block(path)


def _show(file: Path, folder: Path) -> str:
    return f"## {file.relative_to(folder).as_posix()}\n\n{_write_block(file)}"


def _write_block(file: Path) -> str:
    language = LANGUAGES.get(file.suffix, file.suffix.removeprefix("."))
    return f"````{language}\n{file.read_text('utf-8').rstrip()}\n````\n"
