"""The files in `deploy/` pass their linters, and name commands, settings, queues and ports that exist.

No container, cluster or systemd runs here. What an image contains is copied to a folder, and runs from there.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from kubernetes_validate import validate
from pytest_httpserver import HTTPServer

from config.environment import NAMES
from config.metrics.settings import MetricsSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yml"))
OBJECTS: list[dict[str, Any]] = [each for file in MANIFESTS for each in yaml.safe_load_all(file.read_text())]
NOT_OURS = {"POSTGRES_USER", "POSTGRES_DB", "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
"""Variables that are not settings of Waybill."""
HTTP, METRICS = 8000, 9100
"""The ports of the image."""


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The name, the pod and the container of each workload of Kubernetes."""
    for each in OBJECTS:
        if each["kind"] in ("Deployment", "Job"):
            pod = each["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            yield each["metadata"]["name"], pod, container


def commands() -> Iterator[list[str]]:
    """The command of each process in all files."""
    for file in [DEPLOY / "Procfile", *UNITS]:
        for line in file.read_text().splitlines():
            for found in re.findall(r"((?:manage\.py|celery) .*?)(?: &&|$)", line):
                yield found.split()
    for service in COMPOSE["services"].values():
        if service["image"] == "waybill":
            yield service.get("command", ["manage.py", "serve"])
    for _, _, container in pods():
        yield container["command"]


def test_commands_and_queues_exist() -> None:
    found = list(commands())
    managed = {words[words.index("manage.py") + 1] for words in found if "manage.py" in words}
    celery = {words[words.index("config") + 1] for words in found if "celery" in words}
    queues = [words[words.index("-Q") + 1] for words in found if "-Q" in words]

    assert len(found) > 15
    assert managed == {"migrate", "serve", "collectstatic"} <= set(get_commands())
    assert celery == {"worker", "beat"}
    assert sorted(queues) == sorted(2 * list(settings.CELERY_TASK_QUEUES)), "each queue has a worker, in each system"


def test_settings_exist() -> None:
    units = [line for file in UNITS for line in file.read_text().splitlines() if line.startswith("Environment=")]
    given = {name for line in units for name in re.findall(r"([A-Z_]+)=/", line)}
    given |= set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE.read_text(), re.MULTILINE))
    given |= {name for service in COMPOSE["services"].values() for name in service.get("environment", {})}
    given |= {name for each in OBJECTS for name in {**each.get("data", {}), **each.get("stringData", {})}}
    given |= {variable["name"] for _, _, container in pods() for variable in container.get("env", [])}

    assert len(UNITS) == len(units) == 3
    assert given - NOT_OURS <= NAMES
    assert len(given & NAMES) > 10


def test_ports_are_those_of_the_image() -> None:
    text = DOCKERFILE.read_text()
    assert f"EXPOSE {HTTP} {METRICS}" in text
    assert f'"--port", "{HTTP}"' in text
    assert f"server web:{HTTP} " in (DEPLOY / "nginx.conf").read_text()
    (published,) = COMPOSE["services"]["proxy"]["ports"]
    assert f"listen {published.partition(':')[2]};" in (DEPLOY / "nginx.conf").read_text()
    listened = {port["containerPort"] for _, _, container in pods() for port in container.get("ports", [])}
    assert listened == {HTTP, METRICS}
    (config,) = [each["data"] for each in OBJECTS if each["kind"] == "ConfigMap"]
    for address in (config["METRICS_ADDRESS"], COMPOSE["services"]["web"]["environment"]["METRICS_ADDRESS"]):
        assert address == f"0.0.0.0:{METRICS}"
    assert MetricsSettings._fields[1:3] == ("host", "port")


def test_the_dockerfile_passes_hadolint() -> None:
    ran = subprocess.run([Path(sys.executable).with_name("hadolint"), DOCKERFILE], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("document", OBJECTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_manifests_fit_the_schemas_of_kubernetes(document: dict[str, Any]) -> None:
    assert validate(document, "1.37.0", strict=True)


def test_a_misspelt_manifest_is_refused() -> None:
    with pytest.raises(Exception, match="replica"):
        validate({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replica": 1}}, "1.37.0", strict=True)


def test_no_pod_runs_as_root_or_writes_to_its_root_file_system() -> None:
    found = list(pods())
    assert len(found) == 8
    for name, pod, container in found:
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert written == {"/tmp", "/run/waybill", "/var/lib/waybill"}
    for name, service in COMPOSE["services"].items():
        assert service.get("read_only") or name in ("postgres", "redis"), name
    assert re.search(r"^USER [1-9]", DOCKERFILE.read_text(), re.MULTILINE)


def test_each_kubernetes_object_refers_to_others_that_exist() -> None:
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in OBJECTS if each["kind"] == "Deployment"}
    for each in OBJECTS:
        spec = each.get("spec", {})
        if each["kind"] == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in labels
            (metric,) = spec["metrics"]
            assert metric["external"]["metric"]["selector"]["matchLabels"]["context"] in settings.CONTEXTS
        elif each["kind"] == "PodDisruptionBudget":
            assert spec["selector"]["matchLabels"] == labels[each["metadata"]["name"]]
        elif each["kind"] == "Service":
            assert spec["selector"] == labels[each["metadata"]["name"]]
    scaled = {each["metadata"]["name"] for each in OBJECTS if each["kind"] == "HorizontalPodAutoscaler"}
    assert scaled == {f"waybill-worker-{context}" for context in settings.CONTEXTS}


@pytest.mark.skipif(not which("promtool"), reason="promtool is not installed; .ci/run installs it")
def test_workers_are_scaled_by_the_oldest_delivery_of_their_context() -> None:
    for words in (["check", "rules", "scaling.yml"], ["test", "rules", "scaling_test.yml"]):
        ran = subprocess.run(["promtool", *words], cwd=DEPLOY / "prometheus", capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_image_contains_what_waybill_needs(tmp_path: Path) -> None:
    copied = [line.split()[1:] for line in DOCKERFILE.read_text().splitlines() if re.match(r"COPY (?!--|req)", line)]
    image = tmp_path / "image"
    image.mkdir()
    for source, target in copied:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, image / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (image / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, image / target)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text()
    assert {f"!{source.rstrip('/')}" for source, _ in copied} <= {*ignored.splitlines()}
    environment = {**os.environ, "WAYBILL_VAR": str(tmp_path / "var"), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=image, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("status", "ends"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_of_the_image_asks_as_the_host_that_is_served(
    httpserver: HTTPServer, status: int | None, ends: int
) -> None:
    port = httpserver.port
    if status is None:
        httpserver.stop()
    else:
        expected = {"Host": "shop.example.com"}
        httpserver.expect_request("/healthz", headers=expected).respond_with_data("", status)
    ran = subprocess.run(
        [sys.executable, DEPLOY / "healthcheck.py", str(port)],
        env={"ALLOWED_HOSTS": ".shop.example.com, other.example"},
        capture_output=True,
        text=True,
    )
    if status is None:
        httpserver.start()
    assert ran.returncode == ends, ran.stderr
