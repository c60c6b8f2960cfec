"""What cannot work is refused, with a sentence that says why."""

import json

import pytest
import yaml

from chart import CHART, Refused, containers, environment, of_kind, render
from modes import EVERYTHING, POSTGRES, postgres

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def refusal(values, **options):
    with pytest.raises(Refused) as refused:
        render(values, **options)
    return str(refused.value)


CASES = {
    "sqlite with autoscaling": (
        {"api": {"autoscaling": {"enabled": True}}},
        "api.autoscaling.enabled does not go with mode=sqlite: an SQLite file has one writer",
    ),
    "sqlite with three pods": (
        {"api": {"replicas": 3}},
        "api.replicas=3 does not go with mode=sqlite: an SQLite file has one writer",
    ),
    "sqlite with a volume of documents": (
        {"documents": {"persistence": {"enabled": True}}},
        "documents.persistence is for mode=postgres",
    ),
    "a database but mode sqlite": (
        {**POSTGRES, "mode": "sqlite"},
        "a database URL is given, but mode is sqlite",
    ),
    "postgres without master keys": (
        postgres(keyRing={}),
        "mode=postgres needs master keys in a Secret: keyRing.existingSecret.name",
    ),
    "postgres without a database": (
        postgres(database={}),
        "mode=postgres needs the database's URL in a Secret",
    ),
    "postgres without documents": (
        postgres(documents={}),
        "mode=postgres needs a place for documents that all pods share",
    ),
    "documents in two places": (
        postgres(documents={"url": "s3://a", "persistence": {"enabled": True}}),
        "documents.url and documents.persistence.enabled are both given",
    ),
    "documents on a volume of one node": (
        postgres(documents={"persistence": {"enabled": True, "accessModes": ["ReadWriteOnce"]}}),
        "documents.persistence.accessModes must have ReadWriteMany",
    ),
    "postgres without a provider": (
        postgres(verification={}),
        "verification.provider must be given with mode=postgres",
    ),
    "a vendor without its secret": (
        postgres(verification={"provider": "http", "vendor": {"url": "https://vendor.example.com/"}}),
        "verification.provider=http needs the vendor's secret",
    ),
    "External Secrets without a store": (
        postgres(externalSecrets={"enabled": True}),
        "externalSecrets.secretStoreRef.name must name the store",
    ),
    "an entry of a store without the operator": (
        postgres(keyRing={}, externalSecrets={"keyRing": {"key": "kira/keys"}}),
        "mode=postgres needs master keys",
    ),
    "client certificates without TLS": (
        {"tls": {"grpc": {"clientCA": {"secretName": "ca"}}}},
        "tls.grpc.clientCA needs tls.grpc.secretName",
    ),
    "a setting that the program does not know": (
        {"config": {"KIRA_LOGG": "debug"}},
        "config.KIRA_LOGG: the program knows no such setting",
    ),
    "a secret among the settings": (
        {"config": {"KIRA_MASTER_KEYS": "k1:AAAA"}},
        "config.KIRA_MASTER_KEYS: secrets do not belong in values",
    ),
    "a secret's file among the settings": (
        {"config": {"KIRA_DATABASE_URL_FILE": "/x"}},
        "config.KIRA_DATABASE_URL_FILE: secrets do not belong in values",
    ),
    "an address among the settings": (
        {"config": {"KIRA_HTTP_ADDR": "0.0.0.0:80"}},
        "config.KIRA_HTTP_ADDR: the chart sets this itself",
    ),
    "a setting that is given twice": (
        {"config": {"KIRA_LOG": "debug"}, "telemetry": {"log": "info"}},
        "config.KIRA_LOG is also given by a value of its own",
    ),
    "a variable that a value has set": (
        {"telemetry": {"log": "info"}, "extraEnv": [{"name": "KIRA_LOG", "value": "debug"}]},
        "extraEnv: KIRA_LOG is set by the chart already",
    ),
    "a budget of all pods": (
        postgres(api={"replicas": 2, "podDisruptionBudget": {"maxUnavailable": 2}}),
        "api.podDisruptionBudget.maxUnavailable=2 lets all 2 pods be taken at once",
    ),
    "an autoscaler upside down": (
        postgres(worker={"autoscaling": {"enabled": True, "minReplicas": 9}}),
        "worker.autoscaling.maxReplicas is below minReplicas",
    ),
    "a route to no gateway": (
        postgres(gateway={"grpcRoute": {"enabled": True}}),
        "gateway.grpcRoute.parentRefs must name a gateway",
    ),
    "a traffic policy of a Service that is not reached from outside": (
        {"service": {"rest": {"externalTrafficPolicy": "Local"}}},
        "service.rest.externalTrafficPolicy is for the types NodePort and LoadBalancer",
    ),
    "ranges of a balancer that is not there": (
        {"service": {"rest": {"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]}}},
        "service.rest.loadBalancerSourceRanges is for the type LoadBalancer",
    ),
    "a budget in percent that rounds up to all pods": (
        postgres(worker={"podDisruptionBudget": {"maxUnavailable": "51%"}}),
        "worker.podDisruptionBudget.maxUnavailable=51% lets all 2 pods be taken at once",
    ),
    "a variable without a name": ({"extraEnv": [{"value": "b"}]}, "name is required"),
    "a sidecar without a name": ({"extraContainers": [{"image": "b"}]}, "name is required"),
    "a part of the values that is empty": ({"api": None}, "api is required"),
    "an empty part within another": (postgres(api={"autoscaling": None}), "autoscaling is required"),
    "two monitors": (
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "every pod would be scraped twice",
    ),
    "a stop that is over before it begins": (
        {"server": {"shutdownDelaySeconds": 50}},
        "server.shutdownDelaySeconds is longer than the whole shutdown",
    ),
    "a runbook that no alert can lead to": (
        {"metrics": {"prometheusRule": {"runbookUrl": "docs/operations.md"}}},
        "runbookUrl",
    ),
    "an unknown value": ({"replicas": 3}, "replicas"),
    "an unknown value deep within": ({"api": {"autoscaling": {"enable": True}}}, "enable"),
    "a value of another type": ({"service": {"rest": {"port": "http"}}}, "port"),
    "a mode that there is not": ({"mode": "mysql"}, "mode"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_text_why(case):
    values, sentence = CASES[case]
    assert sentence in refusal(values)


def test_all_problems_are_text_at_once():
    text = refusal({"mode": "postgres", "config": {"KIRA_LOGG": "x"}})
    assert text.count("\n* ") == 5


def every_key(values, path=()):
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from every_key(value, (*path, key))


def without(values, path):
    """The values with nothing behind the key, as `key:` in YAML is."""
    head, *rest = path
    if not rest:
        return {**values, head: None}
    return {**values, head: without(values.get(head) or {}, rest)}


def is_required(path):
    """Whether the schema itself refuses values without the key."""
    part = json.loads((CHART / "values.schema.json").read_text())
    for key in path:
        if key in part.get("required", []):
            return True
        part = part.get("properties", {}).get(key, {})
    return False


@pytest.mark.parametrize("path", [path for path in every_key(DEFAULTS) if not is_required(path)], ids=".".join)
def test_a_key_without_a_value_is_taken_or_refused_in_a_sentence(path):
    try:
        render(without(EVERYTHING, path))
    except Refused as refused:
        sentences = str(refused).split("the values cannot work:\n* ")
        assert len(sentences) == 2, refused


def test_a_kubernetes_that_is_too_old_is_refused():
    assert "1.26" in refusal({}, kube="1.26.0")


def test_every_setting_can_be_given_by_its_name():
    config = {"KIRA_WEBHOOK_SCHEDULE": "0s", "KIRA_MAX_BODY_BYTES": 67108864, "KIRA_REVIEW_FOUR_EYES": True}
    [api] = of_kind(render({"config": config, "server": {"maxBodyBytes": ""}}), "Deployment")
    found = environment(containers(api)[0])
    assert found["KIRA_WEBHOOK_SCHEDULE"] == "0s"
    assert found["KIRA_MAX_BODY_BYTES"] == "67108864"
    assert found["KIRA_REVIEW_FOUR_EYES"] == "true"


def test_a_dollar_in_a_setting_is_one_in_the_program():
    [api] = of_kind(render({"config": {"KIRA_LOG": "info,[{a=$(HOME)}]=off"}}), "Deployment")
    assert environment(containers(api)[0])["KIRA_LOG"] == "info,[{a=$$(HOME)}]=off", "$$ is how Kubernetes writes one"
