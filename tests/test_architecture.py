"""The components of the project, and the direction of the imports between them."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]

# A component, a folder or a file of a package, imports only those listed before it.
COMPONENTS = {
    "recu_tf": """
        messages choices number_checks durations json_text inflation precision quantized_scope
        latent_weights kernel_axes quantizers pretrained data functional logits image_input
        pixel_scaling batch_norm layers larq_warnings schedules optimizers metrics larq_summary
        models runs settings_checks settings figures html evaluation pytorch networks training
    """,
    "export": """
        keras_graph runtime tflite
        loading conversion proof measurement
        export_options refusals pipeline bundle exporter reverification
    """,
    "experiments": """
        quiet tensorflow_start machine prediction_picture recipes declarations options
        published_flags report speedrun stages release training_settings jax_training
        network_evaluation tflite_benchmark pretrained docs benchmarks seeds visible_gpus
        dry_run commands cli
    """,
}
PACKAGES = ("recu_tf", "export", "experiments")
# What takes seconds to load, or is not installed everywhere, and what imports it.
EXCLUSIVE = {
    "larq_compute_engine": ("export",),
    "jax": ("experiments.jax_training.run_jobs",),
    "torch": ("recu_tf.pytorch", "experiments.benchmarks.published_step"),
}
# Installed by itself as well, under another name, and so the one that has relative imports.
HAS_TWO_NAMES = "export.runtime"


def module_name(path):
    return ".".join(path.relative_to(TREE).with_suffix("").parts).removesuffix(".__init__")


# What an installation of the runtime by itself leaves there.
BUILT = TREE / "export/runtime/build"
MODULES = {
    module_name(path): path
    for package in PACKAGES
    for path in (TREE / package).rglob("*.py")
    if BUILT not in path.parents
}
# A package's own __init__.py imports from every component.
INSIDE = {name: path for name, path in MODULES.items() if name not in PACKAGES}


@cache
def parse(path):
    return ast.parse(path.read_text("utf-8"))


def list_imports(path):
    """The modules that a file imports, of the project and of others."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module
            if node.level:
                package = module_name(path.parent)
                assert (package, node.level) == (HAS_TWO_NAMES, 1), f"{path} has a relative import"
                module = ".".join(filter(None, (package, module)))
            for alias in node.names:
                name = f"{module}.{alias.name}"
                yield name if name in MODULES else module


def test_relative_imports_are_seen():
    names = set(list_imports(MODULES[f"{HAS_TWO_NAMES}.external_delegate"]))
    assert f"{HAS_TWO_NAMES}.compile_delegate" in names
    assert f"{HAS_TWO_NAMES}.external_delegate" in list_imports(MODULES[HAS_TWO_NAMES])


def read_all(module):
    """What a module says that others may import."""
    for node in parse(MODULES[module]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def test_files_import_what_others_have_in_all():
    missing = {
        f"{node.module}.{alias.name}"
        for path in INSIDE.values()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.module in INSIDE
        for alias in node.names
        if alias.name not in read_all(node.module)
    }
    assert missing - MODULES.keys() == set()


def component(module):
    """The package of a module, and its component in that package."""
    package, _, rest = module.partition(".")
    return package, rest.split(".")[0]


def position(module):
    """The positions of a module's package and of its component, in the order of imports."""
    package, name = component(module)
    # The package itself comes after all of its components.
    components = COMPONENTS[package].split()
    return PACKAGES.index(package), components.index(name) if name else len(components)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_component_has_its_position(package):
    components = {component(name)[1] for name in INSIDE if component(name)[0] == package}
    assert components == set(COMPONENTS[package].split())


@pytest.mark.parametrize("module", sorted(INSIDE))
def test_imports_go_one_way(module):
    for name in list_imports(INSIDE[module]):
        if name not in MODULES or component(name) == component(module):
            continue
        # `import recu_tf` selects legacy Keras, and takes nothing of the components.
        assert name in PACKAGES or position(name) < position(module), f"{module} imports {name}"
        assert position(name)[0] <= position(module)[0], f"{module} imports {name}"


def test_files_import_each_other_in_no_circle():
    arrows = {
        name: {other for other in list_imports(path) if other in INSIDE}
        for name, path in INSIDE.items()
    }
    while free := {name for name, needed in arrows.items() if not needed & arrows.keys()}:
        arrows = {name: needed for name, needed in arrows.items() if name not in free}
    assert not arrows, f"in a circle, or behind one: {', '.join(sorted(arrows))}"


def test_no_file_name_stands_twice():
    paths = defaultdict(list)
    for path in (*MODULES.values(), *(TREE / "tests").rglob("*.py")):
        # Python and pip choose these names; the whole project's own set-up lies in no package.
        if path.name != "__init__.py" and path != TREE / "export/runtime/setup.py":
            paths[path.name].append(path)
    assert {name: same for name, same in paths.items() if len(same) > 1} == {}


@pytest.mark.parametrize(
    "package", sorted(name for name, path in MODULES.items() if path.name == "__init__.py")
)
def test_no_function_hides_a_module(package):
    hidden = set()
    for node in parse(MODULES[package]).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            hidden.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            hidden |= {
                alias.asname or alias.name
                for alias in node.names
                if f"{node.module}.{alias.name}" not in MODULES
            }
    assert not [name for name in hidden if f"{package}.{name}" in MODULES]


@pytest.mark.parametrize(("package", "only"), EXCLUSIVE.items())
def test_packages_that_few_have_are_imported_in_few_places(package, only):
    users = [
        name
        for name, path in MODULES.items()
        if any(name.split(".")[0] == package for name in list_imports(path))
    ]
    assert users
    places = tuple(f"{name}." for name in only)
    assert [name for name in users if not f"{name}.".startswith(places)] == []


def test_tests_mirror_the_folders():
    folders = {path.parent.relative_to(TREE) for path in MODULES.values()}
    for path in (TREE / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(TREE / "tests")
        assert folder == Path() or folder in folders, f"{path.name} lies in no folder of the code"
