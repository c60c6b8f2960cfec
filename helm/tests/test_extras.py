"""What operators add to pods and objects."""

import pytest

from chart import component, containers, named, of_kind, render, template_of, workloads
from modes import postgres

PLACED = {"nodeSelector": {"pool": "apps"}, "tolerations": [{"key": "apps", "operator": "Exists"}], "priorityClassName": "high"}


def pods(values):
    return {component(it): template_of(it)["spec"] for it in workloads(render(values))}


def test_the_pod_of_helm_test_and_the_migration_run_where_the_api_runs():
    specs = pods(postgres(api=PLACED))
    for name in ("api", "test"):
        assert {key: specs[name][key] for key in PLACED} == PLACED
    assert "migrate" in [it["name"] for it in specs["api"]["initContainers"]]
    assert specs["test"]["activeDeadlineSeconds"] > 0, "it does not run later, after an uninstall"


def test_sidecars_and_init_containers_are_beside_those_of_the_chart():
    own = {"extraContainers": [{"name": "proxy", "image": "proxy:1"}], "extraInitContainers": [{"name": "first", "image": "first:1"}]}
    specs = pods(postgres(**own))
    for name in ("api", "worker"):
        assert [it["name"] for it in specs[name]["containers"]] == ["kira-users", "proxy"]
    assert [it["name"] for it in specs["api"]["initContainers"]] == ["first", "migrate"]
    assert [it["name"] for it in specs["worker"]["initContainers"]] == ["first"]


def test_host_aliases_are_in_every_pod_and_annotations_on_every_deployment():
    aliases = [{"ip": "10.1.2.3", "hostnames": ["vendor.internal"]}]
    values = postgres(hostAliases=aliases, deploymentAnnotations={"a": "b"})
    assert all(spec["hostAliases"] == aliases for spec in pods(values).values())
    assert all(it["metadata"]["annotations"] == {"a": "b"} for it in of_kind(render(values), "Deployment"))


def test_a_security_context_is_changed_field_by_field():
    values = postgres(podSecurityContext={"fsGroup": 2000, "runAsUser": None}, securityContext={"readOnlyRootFilesystem": False})
    for workload in workloads(render(values)):
        context = template_of(workload)["spec"]["securityContext"]
        assert context["fsGroup"] == 2000 and "runAsUser" not in context and context["runAsNonRoot"] is True
        for container in containers(workload):
            assert container["securityContext"]["readOnlyRootFilesystem"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", ["a" * 45, "b" * 53])
def test_a_long_name_ends_in_a_digest_of_the_whole(name):
    deployments = [it["metadata"]["name"] for it in of_kind(render({"nameOverride": name[:40]}), "Deployment")]
    others = [it["metadata"]["name"] for it in of_kind(render({"nameOverride": name[:39] + "z"}), "Deployment")]
    assert deployments != others and len(deployments[0]) <= 44


def test_a_balancer_has_its_ranges_and_its_traffic_policy():
    rest = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["203.0.113.0/24"]}
    spec = named(render({"service": {"rest": rest}}), "Service", "users-kira-users-rest")["spec"]
    assert {key: spec[key] for key in rest} == rest
