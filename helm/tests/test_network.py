"""The policies keep the gRPC and admin ports inside, and the pods from calling what they need not."""

import pytest

from chart import component, containers, labels_of, matches, of_kind, render, workloads
from modes import MODES, postgres

POLICIES = [mode for mode, values in MODES.items() if values.get("networkPolicy", {}).get("enabled", True)]


def policy(objects, name):
    [found] = [it for it in of_kind(objects, "NetworkPolicy") if it["metadata"]["name"].endswith("-" + name)]
    return found["spec"]


def callers(spec, port):
    """Who may call the port: the rules that open it, or everything."""
    return [rule for rule in spec["ingress"] or [] if any(it["port"] == port for it in rule.get("ports", [{"port": port}]))]


@pytest.mark.parametrize("mode", POLICIES)
def test_every_pod_has_one_policy_that_limits_who_calls_it(mode):
    objects = render(MODES[mode])
    for workload in workloads(objects):
        found = [
            it for it in of_kind(objects, "NetworkPolicy")
            if matches(it["spec"]["podSelector"]["matchLabels"], labels_of(workload))
        ]
        assert len(found) == 1 and "Ingress" in found[0]["spec"]["policyTypes"]


@pytest.mark.parametrize("mode", POLICIES)
def test_the_grpc_and_admin_ports_are_open_to_named_peers_alone(mode):
    for it in of_kind(render(MODES[mode]), "NetworkPolicy"):
        for port in ("grpc", "admin"):
            for rule in callers(it["spec"], port):
                assert rule.get("from"), (it["metadata"]["name"], port)
                for peer in rule["from"]:
                    assert "ipBlock" not in peer and peer.get("namespaceSelector") != {}


@pytest.mark.parametrize("mode", POLICIES)
def test_a_policy_opens_ports_that_its_pods_have(mode):
    objects = render(MODES[mode])
    for it in of_kind(objects, "NetworkPolicy"):
        opened = {port["port"] for rule in it["spec"]["ingress"] or [] for port in rule["ports"]}
        for workload in workloads(objects):
            if matches(it["spec"]["podSelector"]["matchLabels"], labels_of(workload)):
                assert opened <= {port["name"] for c in containers(workload) for port in c.get("ports", [])}


def test_an_empty_list_of_peers_allows_no_peer():
    closed = {"ingress": {"rest": {"anyone": False}, "grpc": {"from": []}, "admin": {"from": []}}}
    spec = policy(render(postgres(networkPolicy=closed)), "api")
    assert callers(spec, "grpc") == []
    assert len(callers(spec, "rest")) == len(callers(spec, "admin")) == 1, "the pods of helm test"
    assert policy(render(postgres(networkPolicy=closed)), "worker")["ingress"] is None


def internet(spec):
    return [rule for rule in spec["egress"] if any(it.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for it in rule.get("to", []))]


def test_the_api_reaches_the_internet_only_where_it_has_business_there():
    shared = {"persistence": {"enabled": True}}
    assert internet(policy(render(postgres(documents=shared)), "api")) == []
    assert internet(policy(render(postgres(documents=shared)), "worker"))
    assert internet(policy(render(postgres(documents=shared, worker={"enabled": False})), "api"))
    assert internet(policy(render(postgres(documents=shared, auth={"jwks": {"url": "https://id.example.com/"}})), "api"))
    assert internet(policy(render(postgres()), "api")), "documents in a bucket"


def test_nothing_private_is_the_internet():
    for mode in POLICIES:
        for it in of_kind(render(MODES[mode]), "NetworkPolicy"):
            for rule in internet(it["spec"]) if "egress" in it["spec"] else []:
                four, six = (peer["ipBlock"] for peer in rule["to"])
                assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(four["except"])
                assert six["cidr"] == "::/0" and "fc00::/7" in six["except"]
                assert rule["ports"]


def test_where_webhooks_may_go_they_get_through():
    spec = policy(render(postgres(webhooks={"allow": "10.1.0.0/16, fd00::/8,192.168.7.7"})), "worker")
    ranges = {peer["ipBlock"]["cidr"] for rule in spec["egress"] if "ports" not in rule for peer in rule["to"]}
    assert ranges == {"10.1.0.0/16", "fd00::/8", "192.168.7.7/32"}
    spec = policy(render(postgres(webhooks={"allow": "none"})), "worker")
    assert all("ports" in rule for rule in spec["egress"])


def test_the_collector_is_reached_at_the_port_of_its_address():
    def ports(endpoint):
        spec = policy(render(postgres(telemetry={"otlp": {"endpoint": endpoint}}, auth={})), "worker")
        return {port["port"] for rule in spec["egress"] for port in rule.get("ports", [])} - {53, 5353, 443, 5432}

    assert ports("http://collector.observability:4318") == {4318}
    assert ports("http://collector/v1") == {80}
    assert ports("off") == ports("") == set()


def test_names_are_asked_of_the_cluster_and_of_the_node_s_cache():
    for name in ("api", "worker"):
        dns = policy(render(MODES["postgres"]), name)["egress"][0]
        assert {(it["port"], it["protocol"]) for it in dns["ports"]} == {(n, p) for n in (53, 5353) for p in ("UDP", "TCP")}
        assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in dns["to"] and len(dns["to"]) == 3
    own = {"egress": {"dns": {"to": [{"ipBlock": {"cidr": "10.0.0.10/32"}}], "ports": [1053]}}}
    dns = policy(render(postgres(networkPolicy=own)), "api")["egress"][0]
    assert dns["to"] == own["egress"]["dns"]["to"] and {it["port"] for it in dns["ports"]} == {1053}


def metadata(spec):
    servers = {"169.254.169.254/32", "169.254.170.23/32"}
    return [rule for rule in spec["egress"] if servers <= {it.get("ipBlock", {}).get("cidr") for it in rule.get("to", [])}]


def test_the_metadata_server_is_reached_where_it_is_allowed_and_by_who_has_documents():
    allowed = render(postgres(networkPolicy={"egress": {"metadata": {"enabled": True}}}))
    for name in ("api", "worker"):
        assert metadata(policy(render(MODES["postgres"]), name)) == []
        [rule] = metadata(policy(allowed, name))
        assert {"port": 80, "protocol": "TCP"} in rule["ports"]
    assert metadata(policy(allowed, "test")) == []


def test_the_pod_of_helm_test_may_call_what_it_asks():
    objects = render(MODES["postgres"])
    [pod] = [it for it in workloads(objects) if component(it) == "test"]
    for port in ("rest", "admin"):
        allowed = [peer["podSelector"]["matchLabels"] for rule in callers(policy(objects, "api"), port)
                   for peer in rule.get("from", []) if peer.get("podSelector")]
        assert any(matches(labels, labels_of(pod)) for labels in allowed)
