"""Upgrades: the Job of each revision, and what starts pods again."""

from chart import component, containers, of_kind, render, template_of, workloads
from modes import MODES, postgres


def job(values):
    [found] = of_kind(render(values), "Job")
    return found


def test_the_migration_is_an_ordinary_job_that_needs_no_order():
    migration = job(MODES["postgres"])
    assert "helm.sh/hook" not in migration["metadata"].get("annotations", {})
    assert containers(migration)[0]["args"] == ["migrate"]


def test_a_job_that_would_run_something_else_has_another_name():
    """A Job cannot be changed; what is built on `helm template` has the revision 1 for ever."""
    names = {job(values)["metadata"]["name"] for values in (
        postgres(), postgres(image={"tag": "2"}), postgres(database={"existingSecret": {"name": "other"}}),
        postgres(config={"KIRA_WEBHOOK_SCHEDULE": "0s"}), postgres(extraEnv=[{"name": "A", "value": "b"}]),
    )}
    assert len(names) == 5
    assert job(postgres())["metadata"]["name"] == job(postgres())["metadata"]["name"]


def test_the_job_has_the_settings_and_secrets_of_the_pods():
    objects = render(MODES["postgres"])
    mounts = {component(it): containers(it)[0]["volumeMounts"] for it in workloads(objects) if it["kind"] != "Pod"}
    assert mounts["migration"] == mounts["worker"] == mounts["api"]


def test_another_setting_starts_the_pods_again_and_nothing_else_does():
    def templates(values):
        return [template_of(it) for it in of_kind(render(values), "Deployment")]

    assert templates(postgres()) == templates(postgres(api={"replicas": 5}))
    for changed in (postgres(server={"requestTimeout": "10s"}), postgres(products=MODES["postgres with everything on"]["products"])):
        assert all(was != now for was, now in zip(templates(postgres()), templates(changed), strict=True))


def test_the_clients_of_a_secret_are_made_once_by_one_who_can():
    for mode, who in (("sqlite with secrets", "api"), ("postgres with everything on", "migration")):
        makers = [
            (component(it), container["name"]) for it in workloads(render(MODES[mode])) for container in containers(it)
            if container.get("args", [])[:2] == ["client", "import"]
        ]
        assert makers == [(who, "clients")]


def test_only_who_makes_the_clients_sees_their_secrets():
    for workload in workloads(render(MODES["postgres with everything on"])):
        names = {volume.get("secret", {}).get("secretName") for volume in template_of(workload)["spec"].get("volumes", [])}
        assert ("kira-clients" in names) == (component(workload) == "migration")


def test_certificates_are_mounted_as_folders_so_that_renewed_ones_arrive():
    [api] = [it for it in workloads(render(MODES["postgres with everything on"])) if component(it) == "api"]
    mounts = [mount for mount in containers(api)[0]["volumeMounts"] if mount["mountPath"].startswith("/etc/kira/")]
    assert len([mount for mount in mounts if "/tls/" in mount["mountPath"]]) == 4
    assert not any("subPath" in mount for mount in mounts)


def test_volumes_with_data_outlive_the_release():
    for mode in ("sqlite", "postgres with a volume for documents"):
        [claim] = of_kind(render(MODES[mode]), "PersistentVolumeClaim")
        assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
