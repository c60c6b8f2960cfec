"""Upgrades: what each revision does, and what starts pods again."""

import pytest

from chart import component, containers, of_kind, render, template_of, workloads
from modes import MODES, postgres


def api(values):
    [found] = [it for it in of_kind(render(values), "Deployment") if component(it) == "api"]
    return found


def init_containers(workload):
    return {it["name"]: it for it in template_of(workload)["spec"].get("initContainers", [])}


def test_the_api_s_pods_bring_the_schema_up_to_date_before_they_serve():
    assert init_containers(api(postgres()))["migrate"]["args"] == ["migrate", "--wait", "600s"]
    assert init_containers(api(postgres(migration={"waitSeconds": 30})))["migrate"]["args"][-1] == "30s"
    assert not init_containers(api(postgres(migration={"enabled": False})))
    assert not init_containers(api({})), "the embedded database is opened by one process, which migrates it"


@pytest.mark.parametrize("mode", MODES)
def test_no_object_is_of_one_revision_alone(mode):
    """Helm cannot roll back over an object that the cluster has and the newer revision has not; such as a Job for each."""
    values = MODES[mode]
    objects = [it for it in render(values) if "helm.sh/hook" not in it["metadata"].get("annotations", {})]
    assert not of_kind(objects, "Job", "Pod")
    changed = render({**values, "image": {"tag": "2"}, "podLabels": {"changed": "yes"}})
    assert {(it["kind"], it["metadata"]["name"]) for it in objects} <= {(it["kind"], it["metadata"]["name"]) for it in changed}


def test_the_migration_has_the_settings_and_secrets_of_the_pods():
    mounts = {(component(it), container["name"]): container["volumeMounts"] for it in workloads(render(MODES["postgres"]))
              for container in containers(it) if "volumeMounts" in container}
    assert mounts["api", "migrate"] == mounts["worker", "kira-users"] == mounts["api", "kira-users"]


def test_a_rollout_may_take_as_long_as_the_wait_for_the_database_and_the_start():
    deployment = api(postgres(migration={"waitSeconds": 1000}, probes={"startup": {"periodSeconds": 2, "failureThreshold": 100}}))
    assert deployment["spec"]["progressDeadlineSeconds"] >= 1200


def test_another_setting_starts_the_pods_again_and_nothing_else_does():
    def templates(values):
        return [template_of(it) for it in of_kind(render(values), "Deployment")]

    assert templates(postgres()) == templates(postgres(api={"replicas": 5}))
    for changed in (postgres(server={"requestTimeout": "10s"}), postgres(products=MODES["postgres with everything on"]["products"])):
        assert all(was != now for was, now in zip(templates(postgres()), templates(changed), strict=True))


def test_the_clients_of_a_secret_are_made_by_the_pods_of_the_api():
    for mode in ("sqlite with secrets", "postgres with everything on"):
        makers = [
            (component(it), container["name"]) for it in workloads(render(MODES[mode])) for container in containers(it)
            if container.get("args", [])[:2] == ["client", "import"]
        ]
        assert makers == [("api", "clients")]
        assert list(init_containers(api(MODES[mode])))[-1] == "clients", "after the schema"


def test_only_the_container_that_makes_the_clients_sees_their_secrets():
    for workload in workloads(render(MODES["postgres with everything on"])):
        names = {volume.get("secret", {}).get("secretName") for volume in template_of(workload)["spec"].get("volumes", [])}
        assert ("kira-clients" in names) == (component(workload) == "api")
        for container in containers(workload):
            assert any(mount["name"] == "clients" for mount in container.get("volumeMounts", [])) == (container["name"] == "clients")


def test_certificates_are_mounted_as_folders_so_that_renewed_ones_arrive():
    [api] = [it for it in workloads(render(MODES["postgres with everything on"])) if component(it) == "api"]
    mounts = [mount for mount in containers(api)[0]["volumeMounts"] if mount["mountPath"].startswith("/etc/kira/")]
    assert len([mount for mount in mounts if "/tls/" in mount["mountPath"]]) == 4
    assert not any("subPath" in mount for mount in mounts)


def test_volumes_with_data_outlive_the_release():
    for mode in ("sqlite", "postgres with a volume for documents"):
        [claim] = of_kind(render(MODES[mode]), "PersistentVolumeClaim")
        assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
