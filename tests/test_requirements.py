"""The requirements files name every package that our code imports, with its exact version.

A package that is only a dependency of another package disappears with that package. Runtime code may import the
packages in `requirements.txt`. Tests may also import those in `requirements-dev.txt`.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OPTIONAL = {
    "requirements-mail.txt": {"anymail": {"ordering/api/mail_reports.py"}},
    "requirements-traces.txt": {"opentelemetry": {"config/tracing.py", "integration/tracing.py"}},
}
"""What only these files bring, and the files that may import it."""
OPTIONAL_MODULES = {module: paths for modules in OPTIONAL.values() for module, paths in modules.items()}
RUNTIME = ["manage.py", "config", "integration", *settings.CONTEXTS]


def requirements(file: str) -> Iterator[Requirement]:
    """Yield every requirement of a file and of the files it includes."""
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("-r "):
            yield from requirements(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            yield Requirement(line)


def named(asked: Iterable[Requirement]) -> set[str]:
    """Return the distributions that these requirements name, directly or through an extra."""
    found = set()
    for requirement in asked:
        found.add(canonicalize_name(requirement.name))
        for extra in requirement.extras:
            optional = map(Requirement, requires(requirement.name) or ())
            found |= {
                canonicalize_name(each.name)
                for each in optional
                if each.marker and each.marker.evaluate({"extra": extra}) and not each.marker.evaluate({"extra": ""})
            }
    return found


def imported(*roots: str) -> dict[str, str]:
    """Return each top-level module imported below these paths, with one file that imports it; not Python's own."""
    found = {}
    for root in roots:
        for path in [ROOT / root] if root.endswith(".py") else sorted((ROOT / root).rglob("*.py")):
            for module in imports(ast.parse(path.read_text())):
                found[module.partition(".")[0]] = str(path.relative_to(ROOT))
    return {module: path for module, path in found.items() if module not in sys.stdlib_module_names}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the absolute imports of a module, including those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def unnamed(modules: dict[str, str], names: set[str]) -> dict[str, str]:
    """Return the modules whose distributions are installed but not among the names."""
    installed = packages_distributions()
    return {
        module: path
        for module, path in modules.items()
        if module in installed and names.isdisjoint(map(canonicalize_name, installed[module]))
    }


def missing(modules: dict[str, str]) -> set[str]:
    """Return the modules that are neither installed nor ours."""
    ours = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {Path(root).stem for root in RUNTIME} | {"tests"}
    return set(modules) - set(packages_distributions()) - ours


def test_requirements_txt_names_what_the_runtime_code_imports() -> None:
    modules = imported(*RUNTIME)
    assert {"celery", "kombu", "redis"} <= set(modules)
    assert missing(modules) == set()
    found = unnamed(modules, named(requirements("requirements.txt")))
    assert found.keys() == OPTIONAL_MODULES.keys()
    assert [path for module, path in found.items() if path not in OPTIONAL_MODULES[module]] == []
    for file, brought in OPTIONAL.items():
        assert unnamed(dict.fromkeys(brought, file), named(requirements(file))) == {}


def test_requirements_txt_names_what_the_settings_load_by_name() -> None:
    by_name = [*settings.INSTALLED_APPS, *settings.MIDDLEWARE]
    modules = {name.partition(".")[0]: "config/settings.py" for name in by_name}
    assert {"drf_spectacular_sidecar", "whitenoise"} <= set(modules)
    assert missing(modules) == set()
    assert unnamed(modules, named(requirements("requirements.txt"))) == {}


def test_the_requirements_files_name_what_the_tests_import() -> None:
    modules = imported("tests")
    assert {"packaging", "playwright"} <= set(modules)
    assert missing(modules) == set()
    assert unnamed(modules, named(requirements("requirements-dev.txt"))) == {}


def test_a_module_that_is_only_a_dependency_of_another_package_is_found() -> None:
    without = [each for each in requirements("requirements.txt") if each.name != "kombu"]
    assert unnamed(imported(*RUNTIME), named(without)).keys() - OPTIONAL_MODULES.keys() == {"kombu"}
    assert unnamed({"drf_spectacular_sidecar": ""}, named([Requirement("drf-spectacular")])) != {}


def test_kombu_is_required_with_the_packages_of_its_redis_transport() -> None:
    """kombu imports the packages of a transport only when the broker's URL names that transport."""
    extras = {each.name: each.extras for each in requirements("requirements.txt")}
    assert "redis" in extras["kombu"]


def test_every_version_is_exact() -> None:
    asked = list(requirements("requirements-dev.txt"))
    assert len(asked) > 20
    loose = [str(each) for each in asked if [clause.operator for clause in each.specifier] != ["=="]]
    assert loose == []
