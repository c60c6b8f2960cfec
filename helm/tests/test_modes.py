"""Every way to install renders to objects that Kubernetes takes, and that hold what the chart promises of all of them."""

import itertools
import json
import math
import pathlib

import jsonschema
import kubernetes_validate
import pytest

from chart import (
    CHART, HELM, PROGRAM, component, config_file, containers, environment, labels_of, matches, of_kind, render, run, settings, template_of, workloads,
)
from modes import MODES

CRDS = pathlib.Path(__file__).parent / "crds"
VERSIONS = ["1.27", "1.30", "1.33", "1.37"]


@pytest.fixture(scope="module", params=MODES, ids=str)
def objects(request):
    return render(MODES[request.param])


def custom(document):
    file = CRDS / (document["kind"].lower() + ".json")
    return json.loads(file.read_text()) if file.exists() else None


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(objects, version):
    for document in objects:
        schema = custom(document)
        if schema:
            assert document["apiVersion"] == schema["$id"]
            jsonschema.validate(document, schema)
        else:
            kubernetes_validate.validate(document, version, strict=True)


def test_helm_lints_it_without_a_complaint():
    done = run(HELM, "lint", "--strict", CHART)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_objects_share_a_name(objects):
    names = [(it["kind"], it["metadata"]["name"]) for it in objects]
    assert len(names) == len(set(names))


def test_names_and_labels_are_short_enough(objects):
    for document in objects:
        assert len(document["metadata"]["name"]) <= 63
        assert all(len(str(value)) <= 63 for value in document["metadata"].get("labels", {}).values())


def test_every_pod_keeps_the_restricted_standard(objects):
    for workload in workloads(objects):
        spec = template_of(workload)["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for volume in spec.get("volumes", []):
            kinds = set(volume) - {"name"}
            assert kinds <= {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"}, volume
        for container in containers(workload):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_every_container_asks_for_memory_and_is_bounded(objects):
    for container in itertools.chain.from_iterable(map(containers, workloads(objects))):
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def test_no_secret_is_in_the_environment(objects):
    for workload in workloads(objects):
        for container in containers(workload):
            assert not any("secretKeyRef" in variable.get("valueFrom", {}) for variable in container.get("env", []))
            assert not any("secretRef" in source for source in container.get("envFrom", []))
            assert not {"KIRA_DATABASE_URL", "KIRA_MASTER_KEYS", "KIRA_VENDOR_SECRET"} & set(environment(container))


def test_a_pod_reads_no_object_that_the_next_revision_changes_in_place(objects):
    """Pods of the revision before that start again must find their own settings, not those of the next."""
    changed = {(it["kind"], it["metadata"]["name"]) for it in of_kind(objects, "ConfigMap", "Secret")}
    for workload in workloads(objects):
        read = set()
        for volume in template_of(workload)["spec"].get("volumes", []):
            sources = [volume, *volume.get("projected", {}).get("sources", [])]
            read |= {("ConfigMap", it["configMap"]["name"]) for it in sources if "configMap" in it}
            read |= {("Secret", it["secret"].get("secretName", it["secret"].get("name"))) for it in sources if "secret" in it}
        for container in containers(workload):
            sources = [*container.get("envFrom", []), *[it.get("valueFrom", {}) for it in container.get("env", [])]]
            for source in sources:
                read |= {("ConfigMap", source[it]["name"]) for it in ("configMapRef", "configMapKeyRef") if it in source}
                read |= {("Secret", source[it]["name"]) for it in ("secretRef", "secretKeyRef") if it in source}
        assert not read & changed, workload["metadata"]["name"]


def test_no_variable_is_given_twice(objects):
    for container in itertools.chain.from_iterable(map(containers, workloads(objects))):
        names = [it["name"] for it in container.get("env", [])]
        assert len(names) == len(set(names))


def test_every_container_of_the_program_has_the_same_settings(objects):
    """But for what is one component's own: who works, and the listeners' TLS."""
    given = []
    for container in itertools.chain.from_iterable(map(containers, workloads(objects))):
        if container["args"][0] != "healthcheck":
            own = {name for name in environment(container) if name == "KIRA_WORKER" or "_TLS_" in name}
            given.append({name: value for name, value in environment(container).items() if name not in own})
    assert given[0] and all(it == given[0] for it in given)


def test_the_chart_makes_no_secret(objects):
    assert not of_kind(objects, "Secret")


def test_every_file_that_a_setting_names_is_mounted(objects):
    for workload in workloads(objects):
        volumes = {volume["name"] for volume in template_of(workload)["spec"].get("volumes", [])}
        for container in containers(workload):
            mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
            assert set(mounts.values()) <= volumes
            for name, value in environment(container).items():
                if value.startswith("/etc/kira/"):
                    assert str(pathlib.Path(value).parent) in mounts, (workload["metadata"]["name"], name)


def test_the_program_knows_every_setting(objects):
    known = settings() | {"KIRA_CONFIG"}
    for workload in workloads(objects):
        for container in containers(workload):
            names = {name.removesuffix("_FILE") for name in environment(container)}
            assert names <= known, names - known


def test_every_image_is_the_same(objects):
    images = {container["image"] for workload in workloads(objects) for container in containers(workload)}
    assert len(images) == 1


def test_selectors_match_the_pods_of_their_own_and_no_others(objects):
    for deployment in of_kind(objects, "Deployment"):
        selected = [it for it in workloads(objects) if matches(deployment["spec"]["selector"]["matchLabels"], labels_of(it))]
        assert selected == [deployment]


def test_services_select_pods_that_have_their_ports(objects):
    for service in of_kind(objects, "Service"):
        selected = [it for it in workloads(objects) if matches(service["spec"]["selector"], labels_of(it))]
        assert selected and all(it["kind"] == "Deployment" for it in selected)
        wanted = {port["targetPort"] for port in service["spec"]["ports"]}
        for workload in selected:
            ports = [port["name"] for container in containers(workload) for port in container.get("ports", [])]
            assert wanted <= set(ports)


def test_the_services_for_callers_do_not_lead_to_the_admin_port(objects):
    for service in of_kind(objects, "Service"):
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        assert len(targets) == 1
        if "admin" in targets:
            assert service["spec"]["clusterIP"] == "None"


def test_only_rest_can_be_reached_from_outside(objects):
    for service in of_kind(objects, "Service"):
        if service["spec"]["ports"][0]["targetPort"] != "rest":
            assert service["spec"]["type"] == "ClusterIP"
    services = {it["metadata"]["name"]: it for it in of_kind(objects, "Service")}
    for ingress in of_kind(objects, "Ingress"):
        for path in itertools.chain.from_iterable(rule["http"]["paths"] for rule in ingress["spec"]["rules"]):
            backend = path["backend"]["service"]
            assert backend["port"]["name"] in [port["name"] for port in services[backend["name"]]["spec"]["ports"]]
            assert backend["name"].endswith("-rest")


def test_routes_lead_to_ports_of_services(objects):
    services = {it["metadata"]["name"]: it for it in of_kind(objects, "Service")}
    for route in of_kind(objects, "HTTPRoute", "GRPCRoute"):
        for backend in route["spec"]["rules"][0]["backendRefs"]:
            assert backend["port"] in [port["port"] for port in services[backend["name"]]["spec"]["ports"]]
            assert backend["name"].endswith("-grpc" if route["kind"] == "GRPCRoute" else "-rest")


def test_autoscalers_and_budgets_are_of_deployments_that_exist(objects):
    deployments = {it["metadata"]["name"]: it for it in of_kind(objects, "Deployment")}
    scalers = {it["spec"]["scaleTargetRef"]["name"]: it for it in of_kind(objects, "HorizontalPodAutoscaler")}
    assert set(scalers) <= set(deployments)
    for name, deployment in deployments.items():
        assert ("replicas" in deployment["spec"]) != (name in scalers), "either the autoscaler says how many, or the chart"
    for budget in of_kind(objects, "PodDisruptionBudget"):
        selector = budget["spec"]["selector"]["matchLabels"]
        [deployment] = [it for it in deployments.values() if matches(selector, labels_of(it))]
        scaler = scalers.get(deployment["metadata"]["name"])
        least = scaler["spec"]["minReplicas"] if scaler else deployment["spec"]["replicas"]
        away = budget["spec"]["maxUnavailable"]
        assert (math.ceil(int(away[:-1]) * least / 100) if isinstance(away, str) else away) < least


def test_spread_and_affinity_are_about_the_pods_of_their_own(objects):
    for deployment in of_kind(objects, "Deployment"):
        spec = template_of(deployment)["spec"]
        selectors = [it["labelSelector"] for it in spec.get("topologySpreadConstraints", [])]
        apart = spec.get("affinity", {}).get("podAntiAffinity", {})
        selectors += [it["labelSelector"] for it in apart.get("requiredDuringSchedulingIgnoredDuringExecution", [])]
        preferred = apart.get("preferredDuringSchedulingIgnoredDuringExecution", [])
        selectors += [it["podAffinityTerm"]["labelSelector"] for it in preferred]
        for selector in selectors:
            assert matches(selector["matchLabels"], labels_of(deployment))


def test_a_pod_has_time_to_answer_and_to_end(objects):
    for deployment in of_kind(objects, "Deployment"):
        spec = template_of(deployment)["spec"]
        [container] = spec["containers"]
        stop = int(environment(container)["KIRA_SHUTDOWN_TIMEOUT"].removesuffix("s"))
        # Two seconds each for handing work back, the database and the telemetry, two for what cannot be interrupted.
        assert spec["terminationGracePeriodSeconds"] >= stop + 8
        assert "lifecycle" not in container, "the program itself goes on until balancers have noticed"


def test_probes_ask_what_they_are_for(objects):
    for deployment in of_kind(objects, "Deployment"):
        [container] = template_of(deployment)["spec"]["containers"]
        probes = {"startupProbe": "/startupz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
        for probe, path in probes.items():
            assert container[probe]["httpGet"] == {"path": path, "port": "admin"}


def test_there_is_one_writer_of_an_sqlite_file(objects):
    api = [it for it in of_kind(objects, "Deployment") if component(it) == "api"][0]
    if "KIRA_DATABASE_URL_FILE" not in environment(template_of(api)["spec"]["containers"][0]):
        assert api["spec"]["replicas"] == 1
        assert api["spec"]["strategy"] == {"type": "Recreate"}
        assert len(of_kind(objects, "Deployment")) == 1


def test_no_credentials_are_printed_to_the_log(objects):
    """What makes a client by itself is the first start on an SQLite file."""
    api = [it for it in of_kind(objects, "Deployment") if component(it) == "api"][0]
    given = environment(template_of(api)["spec"]["containers"][0])
    assert "KIRA_DATABASE_URL_FILE" in given or given["KIRA_DEMO_CLIENT"] == "false"


def test_one_component_verifies_and_sends_webhooks(objects):
    deployments = of_kind(objects, "Deployment")
    api = [it for it in deployments if component(it) == "api"][0]
    works = environment(template_of(api)["spec"]["containers"][0])["KIRA_WORKER"]
    assert (works == "true") != any(component(it) == "worker" for it in deployments)


SECRETS = {
    "database-url": "postgres://kira:secret@127.0.0.1:1/kira",
    "master-keys": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "vendor-secret": "a text of twenty-four bytes",
    "sink-nats-url": "nats://kira:secret@127.0.0.1:1",
    "sink-amqp-url": "amqps://kira:secret@127.0.0.1:1/%2f",
    "sink-redis-url": "rediss://kira:secret@127.0.0.1:1/0",
}


def test_the_program_accepts_its_configuration(objects, tmp_path):
    """It is asked for the health of a service that does not run: 2 would be a configuration that it refuses."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "config").mkdir()
    for name, text in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(text)
    for workload in workloads(objects):
        if config_file(workload):
            (tmp_path / "config" / "config.toml").write_text(config_file(workload))
        for container in containers(workload):
            given = {
                name: value.replace("/etc/kira/", f"{tmp_path}/")
                for name, value in environment(container).items()
            }
            given["KIRA_ADMIN_ADDR"] = "127.0.0.1:1"
            done = run(PROGRAM, "healthcheck", env=given)
            assert done.returncode == 1 and "does not answer" in done.stderr, done.stderr
