"""What starts our server for an operator: each file is read by the program it is written for, or
held to that program's official schema, and asks for settings that there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from redmine_mcp_core.settings import Settings, load_settings
from tests.support.programs import DEPLOY, at_home_in, program

KUBERNETES = DEPLOY / "kubernetes/redmine-mcp.yaml"
COMPOSE = DEPLOY / "docker/compose.yaml"
SYSTEMD = DEPLOY / "systemd/redmine-mcp.service"

CHECKS: dict[str, list[str | Path]] = {
    # clusters are updated late: the newest Kubernetes, and one of two years before
    "kubernetes 1.31": ["kubernetes-validate", "--strict", "-k", "1.31", KUBERNETES],
    "kubernetes": ["kubernetes-validate", "--strict", KUBERNETES],
    "compose": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
    "Dockerfile": ["hadolint", "--failure-threshold", "style", DEPLOY / "docker/Dockerfile"],
    "Caddyfile of compose": ["caddy", "validate", "--config", DEPLOY / "docker/Caddyfile"],
    "envoy": ["envoy", "--mode", "validate", "-c", DEPLOY / "forward-auth/envoy.yaml"],
}


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    name, *arguments = map(str, command)
    return subprocess.run(
        [program(name), *arguments],
        cwd=folder,
        env=at_home_in(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("check", CHECKS)
def test_the_program_it_is_for_accepts_it(check: str, tmp_path: Path) -> None:
    """Or the schema that the program's makers publish; unknown fields are mistakes, too."""
    done = run(tmp_path, *CHECKS[check])

    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Without a word about it, and it finds the service well shut in."""
    unit = tmp_path / SYSTEMD.name
    # systemd looks whether the program is there, and it is not where ours is installed.
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", SYSTEMD.read_text()))

    verified = run(tmp_path, "systemd-analyze", "verify", "--man=no", unit)
    exposed = run(tmp_path, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)

    assert (verified.returncode, verified.stderr) == (0, "")
    assert exposed.returncode == 0, exposed.stdout[-300:]


def kubernetes() -> dict[str, Any]:
    """The objects by their kinds."""
    return {one["kind"]: one for one in yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))}


def pod() -> Any:
    return kubernetes()["Deployment"]["spec"]["template"]["spec"]


def service_of_compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["redmine-mcp"]


def variables() -> dict[str, tuple[dict[str, str], float]]:
    """Per way to start: the environment, and the seconds that the server has to end."""
    (container,) = pod()["containers"]
    from_secrets = {one["name"]: "rediss://mcp:password@redis" for one in container["env"]}
    unit = SYSTEMD.read_text(encoding="utf-8")
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    compose = service_of_compose()
    return {
        "kubernetes": (
            {**kubernetes()["ConfigMap"]["data"], **from_secrets},
            pod()["terminationGracePeriodSeconds"],
        ),
        "compose": (
            compose["environment"],
            float(compose["stop_grace_period"].removesuffix("s")),
        ),
        "systemd": (
            {
                # which the operator writes into EnvironmentFile
                "REDMINE_URL": "https://redmine.example.com",
                "REDMINE_CLIENT_ID": "the client ID that Redmine shows",
                **dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE)),
            },
            float(patience),
        ),
    }


@pytest.mark.parametrize("way", ["kubernetes", "compose", "systemd"])
def test_the_server_takes_the_settings_and_has_the_time_to_end(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variable is a setting with a good value, and nobody kills the server before it has
    drained and ended its calls."""
    environment, patience = variables()[way]
    secret = tmp_path / "client-secret"
    secret.write_text("a-secret-as-long-as-it-has-to-be")
    for name, value in environment.items():
        assert name.removesuffix("_FILE").lower() in Settings.model_fields, name
        monkeypatch.setenv(name, str(secret) if name.endswith("_FILE") else value)

    settings = load_settings(_env_file=None)

    assert settings.mcp_drain_seconds + settings.mcp_grace_seconds < patience


def test_the_user_of_the_image_reads_the_secret() -> None:
    """A Secret's file is root's, and its group's by ``fsGroup``, so no other group will do."""
    security, (container,) = pod()["securityContext"], pod()["containers"]
    (secrets,) = [one["secret"] for one in pod()["volumes"] if "secret" in one]
    path = kubernetes()["ConfigMap"]["data"]["REDMINE_CLIENT_SECRET_FILE"]
    (mounted,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "secrets"]
    image = (DEPLOY / "docker/Dockerfile").read_text(encoding="utf-8")

    assert security["fsGroup"] == security["runAsGroup"]
    assert secrets["defaultMode"] & 0o444 == 0o440
    assert path in [f"{mounted}/{item['path']}" for item in secrets["items"]]
    assert f"USER {security['runAsUser']}" in image.splitlines()


def test_everything_that_selects_pods_selects_ours() -> None:
    """The Service, the disruption budget, the network policy and the spreading over nodes; and a
    probe asks a port that the container names."""
    objects = kubernetes()
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    (spread,) = pod()["topologySpreadConstraints"]
    selectors = [
        objects["Service"]["spec"]["selector"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    (container,) = pod()["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]

    assert selectors == [labels] * 5
    assert {probe["port"] for probe in probes} <= ports
    assert [probe["path"] for probe in probes] == ["/health", "/health", "/ready"]
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] in ports
