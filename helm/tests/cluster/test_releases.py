"""Releases on a real API server: what Helm and Kubernetes make of installs, upgrades, refused upgrades and rollbacks."""

import json

import pytest
import yaml

from cluster import KINDS
from modes import EXAMPLES, MODES, postgres

# Kinds that this API server has no definitions of.
CUSTOM = {"External Secrets", "Gateway API", "PodMonitor", "postgres with everything on", "example external-secrets"}
# A mount without its volume: the API server refuses the Deployments, after it has taken Services, policies and claims.
REFUSED = {"extraVolumeMounts": [{"name": "absent", "mountPath": "/absent"}]}
DATA, API, WORKER = "users-kira-users-data", "users-kira-users-api", "users-kira-users-worker"
# The mode is named: Helm takes an upgrade without values for one with those before.
SQLITE = {"mode": "sqlite"}
TWO_MODES = {"sqlite": SQLITE, "postgres": postgres()}


def main_image(namespace):
    spec = namespace.one("Deployment", API)["spec"]["template"]["spec"]
    return [container["image"] for container in spec["containers"] if container["name"] == "kira-users"][0]


@pytest.mark.parametrize("mode", sorted(set(MODES) - CUSTOM))
def test_it_installs_upgrades_and_leaves_nothing_but_the_data(namespace, mode):
    namespace.install(MODES[mode])
    namespace.upgrade({**MODES[mode], "podLabels": {"changed": "yes"}})
    assert namespace.status() == "deployed"
    namespace.helm("uninstall", "users")
    namespace.await_none(*(set(KINDS) - {"PersistentVolumeClaim"}))


@pytest.mark.parametrize("mode", TWO_MODES)
def test_an_upgrade_that_is_refused_midway_is_undone_at_once_with_atomic(namespace, mode):
    namespace.install(TWO_MODES[mode])
    # It waits for pods, which nothing runs here: the objects are rolled back by then, and only the wait fails.
    refused = namespace.upgrade({**TWO_MODES[mode], **REFUSED, "image": {"tag": "2"}}, "--atomic", "--timeout", "2s", fails=True)
    assert "with the name" not in refused, refused
    assert main_image(namespace) == "kira-users:0.1.0"


@pytest.mark.parametrize("mode", TWO_MODES)
def test_an_upgrade_that_is_refused_midway_is_undone_by_a_rollback(namespace, mode):
    namespace.install(TWO_MODES[mode])
    namespace.upgrade({**TWO_MODES[mode], **REFUSED, "image": {"tag": "2"}}, fails=True)
    assert namespace.status() == "failed"
    namespace.rollback(1)
    assert namespace.status() == "deployed" and main_image(namespace) == "kira-users:0.1.0"
    namespace.upgrade({**TWO_MODES[mode], "image": {"tag": "3"}})
    assert namespace.status() == "deployed" and main_image(namespace) == "kira-users:3"


@pytest.mark.parametrize("mode", TWO_MODES)
def test_several_refused_upgrades_are_undone_together(namespace, mode):
    namespace.install(TWO_MODES[mode])
    for tag in ("2", "3", "4"):
        namespace.upgrade({**TWO_MODES[mode], **REFUSED, "image": {"tag": tag}}, fails=True)
    namespace.rollback(1)
    assert namespace.status() == "deployed" and main_image(namespace) == "kira-users:0.1.0"


@pytest.mark.parametrize("before, after", [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_another_mode_can_be_rolled_back_and_the_data_is_where_it_was(namespace, before, after):
    namespace.install(TWO_MODES[before])
    namespace.upgrade(TWO_MODES[after])
    namespace.rollback(1)
    assert namespace.status() == "deployed"
    undo(namespace, to=2)
    assert DATA in namespace.all("PersistentVolumeClaim"), "the volume outlives the mode"


@pytest.mark.parametrize("storage", [{}, {"storageClass": "fast", "size": "5Gi", "annotations": {"backup": "daily"}}])
def test_a_claim_stays_as_it_was_through_modes(namespace, storage):
    sqlite = {**SQLITE, "sqlite": {"persistence": storage}}
    namespace.install(sqlite)
    before = namespace.one("PersistentVolumeClaim", DATA)
    namespace.upgrade(postgres())
    namespace.upgrade(postgres(image={"tag": "2"}))
    namespace.rollback(1)
    namespace.upgrade(sqlite)
    after = namespace.one("PersistentVolumeClaim", DATA)
    assert before["metadata"]["uid"] == after["metadata"]["uid"] and before["spec"] == after["spec"]
    assert before["metadata"]["annotations"] == after["metadata"]["annotations"]


@pytest.mark.parametrize("before, after", [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_another_mode_that_is_refused_midway_is_undone_by_rollbacks(namespace, before, after):
    """Helm 3 itself refuses the first where the older revision has objects that the newer has not; the second works."""
    namespace.install(TWO_MODES[before])
    namespace.upgrade({**TWO_MODES[after], **REFUSED}, fails=True)
    undo(namespace)


OPTIONAL = {
    "the worker": (postgres(), postgres(worker={"enabled": False})),
    "autoscaling": (postgres(api={"autoscaling": {"enabled": True}}), postgres()),
    "the policies": (postgres(), postgres(networkPolicy={"enabled": False})),
    "the disruption budget": (postgres(), postgres(api={"podDisruptionBudget": {"enabled": False}})),
    "the headless Service": (postgres(service={"grpc": {"headless": True}}), postgres()),
    "the service account": (postgres(), postgres(serviceAccount={"create": False})),
    "the ingress": (postgres(ingress={"enabled": True}), postgres()),
    "the names": (postgres(), postgres(nameOverride="other")),
    "the documents' volume": (MODES["postgres with a volume for documents"], postgres()),
}


def undo(namespace, to=1):
    try:
        namespace.rollback(to)
    except AssertionError as refused:
        assert "no " in str(refused) and "found" in str(refused), refused
        namespace.rollback(to)
    assert namespace.status() == "deployed"


@pytest.mark.parametrize("what", OPTIONAL)
def test_an_upgrade_that_takes_objects_away_and_is_refused_midway_is_undone(namespace, what):
    before, after = OPTIONAL[what]
    namespace.install(before)
    kinds = set(KINDS) - {"Pod", "ReplicaSet", "Secret"}
    there = {kind: set(namespace.all(kind)) for kind in kinds}
    namespace.upgrade({**after, **REFUSED}, fails=True)
    undo(namespace)
    assert {kind: set(namespace.all(kind)) >= there[kind] for kind in kinds} == dict.fromkeys(kinds, True)
    namespace.upgrade(after)
    namespace.upgrade(before)
    assert namespace.status() == "deployed"


def test_no_job_and_no_pod_outlives_a_release_that_failed(namespace):
    namespace.install(postgres())
    namespace.upgrade(postgres(**REFUSED), fails=True)
    namespace.helm("uninstall", "users")
    namespace.await_none("Job", "Pod", "ReplicaSet", "Deployment", "Service", "ServiceAccount", "NetworkPolicy")


def test_pods_stay_as_many_when_autoscaling_is_turned_on(namespace):
    namespace.install(postgres(api={"replicas": 7}))
    scaled = postgres(api={"autoscaling": {"enabled": True}}, worker={"autoscaling": {"enabled": True}})
    namespace.upgrade(scaled)
    assert (namespace.replicas(API), namespace.replicas(WORKER)) == (7, 2)
    namespace.scale(API, 9)
    namespace.upgrade({**scaled, "image": {"tag": "2"}})
    assert (namespace.replicas(API), namespace.replicas(WORKER)) == (9, 2)
    namespace.upgrade({**scaled, "image": {"tag": "3"}})
    assert namespace.replicas(API) == 9
    namespace.upgrade(postgres(api={"replicas": 4}))
    assert namespace.replicas(API) == 4


def test_pods_that_were_scaled_from_the_start_stay_as_many_through_upgrades_and_rollbacks(namespace):
    scaled = postgres(api={"autoscaling": {"enabled": True}})
    namespace.install(scaled)
    for count, tag in ((8, "2"), (5, "3")):
        namespace.scale(API, count)
        namespace.upgrade({**scaled, "image": {"tag": tag}})
        assert namespace.replicas(API) == count
    namespace.rollback(1)
    assert namespace.replicas(API) == 5


def test_addresses_of_pods_come_beside_the_service_that_is_there(namespace):
    namespace.install(postgres())
    before = namespace.one("Service", "users-kira-users-grpc")["spec"]["clusterIP"]
    namespace.upgrade(postgres(service={"grpc": {"headless": True, "port": 80}}))
    assert namespace.one("Service", "users-kira-users-grpc")["spec"]["clusterIP"] == before
    headless = namespace.one("Service", "users-kira-users-grpc-headless")["spec"]
    assert (headless["clusterIP"], headless["ports"][0]["port"]) == ("None", 50051)
    namespace.rollback(1)


@pytest.mark.parametrize("renamed", [{"nameOverride": "other"}, {"fullnameOverride": "other"}])
def test_a_new_name_does_not_begin_on_an_empty_volume(namespace, renamed):
    namespace.install({})
    refused = namespace.upgrade(renamed, fails=True)
    assert DATA in refused and "sqlite.persistence.existingClaim" in refused and "executing" not in refused.split("the values")[-1]
    namespace.upgrade({**renamed, "sqlite": {"persistence": {"existingClaim": DATA}}})
    assert set(namespace.all("PersistentVolumeClaim")) == {DATA}
    namespace.rollback(1)
    assert namespace.status() == "deployed"


def test_a_new_name_does_not_begin_on_an_empty_volume_of_documents(namespace):
    before = MODES["postgres with a volume for documents"]
    namespace.install(before)
    refused = namespace.upgrade({**before, "nameOverride": "other"}, fails=True)
    assert "documents.persistence.existingClaim=users-kira-users-documents" in refused


def test_another_mode_is_announced_as_a_beginning_without_data(namespace):
    namespace.install({})
    assert "WARNING" not in namespace.upgrade(SQLITE)
    notes = namespace.upgrade(postgres())
    assert f"kept its data on the volume claim {DATA}" in notes and "nothing was" in notes
    notes = namespace.upgrade(SQLITE)
    assert "kept its users in a PostgreSQL database" in notes
    notes = namespace.upgrade({**SQLITE, "sqlite": {"persistence": {"enabled": False}}})
    assert f"kept its data on the volume claim {DATA}" in notes


def test_a_release_that_is_installed_again_finds_its_data(namespace):
    namespace.install({})
    before = namespace.one("PersistentVolumeClaim", DATA)["metadata"]["uid"]
    namespace.helm("uninstall", "users")
    namespace.install({})
    assert namespace.one("PersistentVolumeClaim", DATA)["metadata"]["uid"] == before


def test_releases_whose_names_begin_alike_share_no_object(namespace):
    names = ["a" * 45 + ending for ending in ("-one", "-two")]
    for name in names:
        namespace.install(postgres(), release=name)
    for name in names:
        namespace.upgrade(postgres(image={"tag": "2"}), release=name)
    assert len(namespace.all("Deployment")) == 4
    namespace.helm("uninstall", names[0])
    assert len(namespace.all("Deployment")) == 2


@pytest.mark.parametrize("name", ["kira-users", "onboarding"])
def test_it_is_a_dependency_with_a_condition(namespace, tmp_path, name):
    parent = tmp_path / "parent"
    parent.mkdir()
    dependency = {"name": "kira-users", "version": "0.1.0", "repository": f"file://{namespace.chart}", "condition": f"{name}.enabled"}
    if name != "kira-users":
        dependency["alias"] = name
    (parent / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}))
    namespace.helm("dependency", "update", parent)
    namespace.chart = parent
    namespace.install({name: {"enabled": True, **postgres()}})
    assert len(namespace.all("Deployment")) == 2
    namespace.upgrade({name: {"enabled": False, **postgres()}})
    assert not namespace.all("Deployment")
    namespace.upgrade({name: {"enabled": True}, "global": {"region": "eu"}})
    assert len(namespace.all("Deployment")) == 1


def test_a_changed_secret_of_the_clients_starts_the_pods_again_at_the_next_upgrade(namespace):
    values = EXAMPLES["postgres-volume"]
    secrets = f"api/v1/namespaces/{namespace.name}/secrets"
    namespace.cluster.request(secrets, "POST", {"metadata": {"name": "kira-clients"}, "stringData": {"clients.json": "[]"}})
    namespace.install(values)

    def generation():
        return namespace.one("Deployment", API)["metadata"]["generation"]

    before = generation()
    namespace.upgrade(values)
    assert generation() == before
    change = {"stringData": {"clients.json": "[ ]"}}
    namespace.cluster.request(f"{secrets}/kira-clients", "PATCH", change, "application/merge-patch+json")
    namespace.upgrade(values)
    assert generation() == before + 1


def test_objects_of_the_operator_s_own_belong_to_the_release(namespace):
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-own"}, "data": {"a": "b"}}
    namespace.install({"extraObjects": [own, yaml.safe_dump({**own, "metadata": {"name": "as-text"}})]})
    assert {"users-own", "as-text"} <= set(namespace.all("ConfigMap"))
    namespace.helm("uninstall", "users")
    namespace.await_none("ConfigMap")
