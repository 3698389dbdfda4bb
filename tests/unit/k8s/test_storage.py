"""Object storage of the gateways: a volume in development, a bucket in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.chassis.settings import load_settings
from services.gateway.settings import GatewaySettings
from tests.unit.k8s.files import ROOT, image
from tests.unit.k8s.manifests import Cluster, render, secret_names

if TYPE_CHECKING:
    import pytest

DEV, PROD = Cluster(render("overlays/dev")), Cluster(render("overlays/prod"))
CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def gateway_of(cluster: Cluster) -> dict[str, Any]:
    (container,) = cluster.pod("gateway")["spec"]["containers"]
    return dict(container)


def storage_url(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the gateway of an overlay reads at its start."""
    variables = {v["name"]: v.get("value", "redis://a-secret:6379/0") for v in gateway_of(cluster)["env"]}
    for name, value in (image("gateway").environment | variables).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(GatewaySettings)
    assert settings.storage_url is not None
    return settings.storage_url.get_secret_value()


def test_in_development_it_is_a_volume_that_all_gateways_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = storage_url(DEV, monkeypatch).removeprefix("file://")
    (mount,) = [mount for mount in gateway_of(DEV)["volumeMounts"] if mount["mountPath"] == folder]
    (volume,) = [volume for volume in DEV.pod("gateway")["spec"]["volumes"] if volume["name"] == mount["name"]]
    assert volume["persistentVolumeClaim"]["claimName"] in DEV.of("PersistentVolumeClaim")
    assert "readOnly" not in mount
    security = DEV.pod("gateway")["spec"]["securityContext"]
    assert security["fsGroup"] == security["runAsGroup"], "else it may not write there"


def test_in_production_it_is_a_bucket_and_no_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage_url(PROD, monkeypatch).startswith("s3://")
    assert [v for v in PROD.pod("gateway")["spec"]["volumes"] if "persistentVolumeClaim" in v] == []
    assert PROD.passes("gateway", "Egress", "the bucket", 443)
    assert not PROD.passes("composer", "Egress", "the bucket", 443)
    assert not DEV.passes("gateway", "Egress", "the bucket", 443)


def test_credentials_of_the_bucket_come_from_a_secret_that_the_readme_names_or_from_the_service_account() -> None:
    references = [v["valueFrom"]["secretKeyRef"] for v in gateway_of(PROD)["env"] if v["name"] in CREDENTIALS]
    assert {(reference["name"], reference["optional"]) for reference in references} == {("scic-storage", True)}
    assert len(references) == len(CREDENTIALS)
    readme = (ROOT / "k8s/README.md").read_text(encoding="utf-8")
    assert all(f"secret generic {name}" in readme for name in secret_names(PROD.pod("gateway")))
