"""Every block of code on every page runs, or is read by what it is written for, in a test."""

import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import need
from delegates import need_delegate
from test_docs import PAGES, TREE

import recu_tf
from experiments.cli import main

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OWN = "experiments/docs/pages"


def find_blocks(page, language):
    """The blocks of a page, named by its path in the project, in a language."""
    text = (TREE / page).read_text("utf-8")
    return [code for found, code in BLOCK.findall(text) if found == language]


def list_pages(language):
    names = (path.relative_to(TREE).as_posix() for path in PAGES)
    return [name for name in names if find_blocks(name, language)]


def need_file(monkeypatch):
    """Where a page has a file, there is a small one."""
    from tiny_files import binary_file

    for name in ("model.tflite", "digits_export/model.tflite"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(binary_file())
    need_delegate()


def need_checkpoint(monkeypatch):
    from published_weights import CHECKPOINT, shared

    Path("model_best.pth.tar").symlink_to(shared(*CHECKPOINT))
    assert main(["import", "model_best.pth.tar", "--out", "results/imported"]) == 0


def need_no_download(monkeypatch):
    """Weights of the same shapes, in the place of those that larq-zoo downloads."""
    need("larq_zoo")
    build = recu_tf.models.zoo.build
    monkeypatch.setattr(recu_tf.models.zoo, "build", lambda name, weights: build(name))


# The pages whose blocks of Python run from the first to the last, and what has to be there before.
RUN = {
    f"{OWN}/how_recu_works.md": None,
    f"{OWN}/quick_start.md": None,
    f"{OWN}/troubleshooting.md": need_file,
    "export/runtime/DELEGATE.md": need_file,
    "export/FROM_CHECKPOINT_TO_PHONE.md": need_checkpoint,
    "recu_tf/LARQ_ZOO.md": need_no_download,
}
FAST = (f"{OWN}/how_recu_works.md", "export/runtime/DELEGATE.md")
# Those whose tests look at what the blocks give.
ELSEWHERE = {
    "export/MISCOMPILATION.md": "tests/export/test_miscompilation.py",
    "recu_tf/PRETRAINED.md": "tests/test_docs.py",
    "recu_tf/YOUR_OWN_MODEL.md": "tests/test_docs.py",
}


def test_no_page_has_python_that_no_test_runs():
    assert list_pages("python") == sorted([*RUN, *ELSEWHERE], key=lambda name: TREE / name)
    for page, file in ELSEWHERE.items():
        assert Path(page).name in (TREE / file).read_text("utf-8")


@pytest.mark.parametrize(
    "page", [page if page in FAST else pytest.param(page, marks=pytest.mark.slow) for page in RUN]
)
@pytest.mark.usefixtures("few_measurements")
def test_python_on_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if RUN[page]:
        RUN[page](monkeypatch)
    names = {}
    for code in find_blocks(page, "python"):
        exec(compile(code, page, "exec"), names)


def test_every_language_of_a_block_is_tested():
    found = {language for path in PAGES for language, _ in BLOCK.findall(path.read_text("utf-8"))}
    # java and groovy: tests/export/runtime/test_android_example.py and below. Without a language:
    # outputs.
    assert found == {"", "bash", "groovy", "java", "json", "python", "sh", "yaml"}


@pytest.mark.parametrize("page", sorted({*list_pages("sh"), *list_pages("bash")}))
def test_shell_on_a_page_can_be_parsed(page):
    for code in find_blocks(page, "sh") + find_blocks(page, "bash"):
        done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True)
        assert done.stderr == ""


@pytest.mark.parametrize("page", list_pages("sh"))
def test_modules_and_targets_of_make_that_shell_names_exist(page):
    makefile = (TREE / "Makefile").read_text("utf-8")
    setup = (TREE / "setup.py").read_text("utf-8")
    for code in find_blocks(page, "sh"):
        for module in re.findall(r"python3? -m (experiments[\w.]+)", code):
            assert (TREE / f"{module.replace('.', '/')}.py").exists()
        for target in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for extras in re.findall(r"\.\[([a-z,]+)\]", code):
            assert [name for name in extras.split(",") if f'"{name}": [' not in setup] == []


MACHINES = f"{OWN}/many_machines.md"


def run_script(script, folder, *, more=(), **variables):
    """Runs a script where `recu` prints its cluster and its options."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    stand_in = commands / "recu"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$TF_CONFIG" | tr -d "\\n"\necho\necho "$@"\n')
    stand_in.chmod(0o755)
    path = f"{commands}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script, "worker", *more],
        cwd=folder,
        env={**os.environ, **variables, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    cluster, options = done.stdout.splitlines()
    return json.loads(cluster), options


def test_script_of_a_worker_writes_the_cluster_that_the_page_shows(tmp_path):
    (shown,) = map(json.loads, find_blocks(MACHINES, "json"))
    script = find_blocks(MACHINES, "bash")[0]
    hosts = "gpu1.example.org gpu2.example.org"
    cluster, options = run_script(script, tmp_path, more=("--lr", "0.1"), HOSTS=hosts, INDEX="0")
    assert cluster == shown
    assert options == "train --resume --lr 0.1"
    cluster, _ = run_script(script, tmp_path, HOSTS=hosts, INDEX="1")
    assert cluster == {**shown, "task": {"type": "worker", "index": 1}}


def test_job_of_slurm_starts_a_worker_that_is_understood(tmp_path):
    worker, job = find_blocks(MACHINES, "bash")
    (tmp_path / "start_worker.sh").write_text(worker)
    # What a cluster has: one prints the names of its machines, the other runs a command.
    stand_ins = "scontrol() { printf 'a1\\na2\\n'; }\nsrun() { shift 2; \"$@\"; }\n"
    cluster, options = run_script(stand_ins + job, tmp_path, SLURM_PROCID="1")
    assert cluster["cluster"] == {"worker": ["a1:2222", "a2:2222"]}
    assert cluster["task"] == {"type": "worker", "index": 1}
    assert options.startswith("train --resume --recipe imagenet-resnet18 --data_path")


def test_job_of_kubernetes_starts_a_worker_that_is_understood(tmp_path):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra docs brings along")
    (tmp_path / "start_worker.sh").write_text(find_blocks(MACHINES, "bash")[0])
    (code,) = find_blocks(MACHINES, "yaml")
    service, job = (SimpleNamespace(**part) for part in yaml.safe_load_all(code))
    pod = job.spec["template"]["spec"]
    (container,) = pod["containers"]
    hosts = {part["name"]: part["value"] for part in container["env"]}
    assert job.spec["completions"] == job.spec["parallelism"] == len(hosts["HOSTS"].split())
    assert service.metadata["name"] == pod["subdomain"]
    assert service.spec["selector"] == {"job-name": job.metadata["name"]}
    (script,) = container["args"]
    cluster, _ = run_script(script, tmp_path, JOB_COMPLETION_INDEX="1", **hosts)
    assert cluster["cluster"] == {"worker": ["recu-0.recu:2222", "recu-1.recu:2222"]}
    assert cluster["task"]["index"] == 1


def test_build_file_of_an_android_app_names_what_is_there():
    (code,) = find_blocks("export/FROM_CHECKPOINT_TO_PHONE.md", "groovy")
    assert code.count("{") == code.count("}")
    paths = re.findall(r'"RECU_TF/(export/[^"]+)"', code)
    assert [Path(path).name for path in paths] == ["CMakeLists.txt", "java"]
    assert all((TREE / path).exists() for path in paths)
