"""Alerts and dashboard: they are well formed, fire when they should, and ask for metrics that there are."""

import json
import pathlib
import re

import pytest
import yaml

from chart import CHART, NAMESPACE, ROOT, matches, labels_of, named, of_kind, render, run, workloads
from modes import EVERYTHING, MODES, postgres

HERE = pathlib.Path(__file__).parent
RUNBOOK = "https://runbooks.example.com/kira-users"
RULES = postgres(
    documents={"persistence": {"enabled": True}}, metrics={"prometheusRule": {"enabled": True, "runbookUrl": RUNBOOK}}
)
# What the kubelet shows of volumes.
VOLUME_SERIES = {
    f"kubelet_volume_stats_{name}": {"persistentvolumeclaim"} for name in ("available_bytes", "capacity_bytes", "inodes_free", "inodes")
}
# Not the program's, but Prometheus' own and those of the pods' labels.
TARGET_LABELS = {"namespace", "job", "pod", "instance", "component", "le"}


def rules(values=RULES):
    [found] = of_kind(render(values), "PrometheusRule")
    return {"groups": found["spec"]["groups"]}


def alerts(values=RULES):
    return [rule for group in rules(values)["groups"] for rule in group["rules"] if "alert" in rule]


def dashboard():
    return json.loads((CHART / "files" / "dashboard.json").read_text())


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries():
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


def filled(query):
    for name, value in {"$__rate_interval": "5m", "$namespace": NAMESPACE, "$job": "users-kira-users"}.items():
        query = query.replace(name, value)
    return query


def known():
    """Series of the program, and their labels."""
    found = {"up": set(), **VOLUME_SERIES}
    for line in (HERE / "metrics.txt").read_text().splitlines():
        if not line.startswith("#"):
            kind, name, *labels = line.split()
            suffixes = ["_bucket", "_count", "_sum"] if kind == "histogram" else [""]
            found.update({name + suffix: set(labels) for suffix in suffixes})
    for rule in [rule for group in rules()["groups"] for rule in group["rules"] if "record" in rule]:
        found[rule["record"]] = set()
    return found


def test_promtool_takes_the_rules(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules()))
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_fire_on_what_they_are_for_and_on_nothing_else(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    test = (HERE / "alerts_test.yaml").read_text()
    (tmp_path / "test.yaml").write_text(test)
    done = run("promtool", "test", "rules", tmp_path / "test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried():
    tried = {case["alertname"] for test in yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
             for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert tried == {alert["alert"] for alert in alerts()}


def test_every_alert_says_what_it_means_and_where_the_runbook_helps():
    headings = re.findall(r"^#+ (KiraUsers\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        assert alert["annotations"]["summary"] and alert["annotations"]["description"]
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOK}#{alert['alert'].lower()}"
    assert sorted(headings) == sorted(alert["alert"] for alert in alerts())


def test_an_alert_can_be_left_out_and_the_worker_s_goes_with_the_worker():
    assert "KiraUsersSlow" not in [alert["alert"] for alert in alerts(MODES["PodMonitor"])]
    together = {**RULES, "worker": {"enabled": False}}
    assert not [alert["alert"] for alert in alerts(together) if "Worker" in alert["alert"]]


def test_the_alerts_of_volumes_are_about_the_claim_that_is_mounted():
    def volumes(values):
        values = {**values, "metrics": {"prometheusRule": {"enabled": True}}}
        text = "".join(alert["expr"] for alert in alerts(values) if "Volume" in alert["alert"])
        return set(re.findall(r'persistentvolumeclaim="([^"]*)"', text))

    assert volumes({}) == {"users-kira-users-data"}
    assert volumes({"sqlite": {"persistence": {"existingClaim": "kira"}}}) == {"kira"}
    assert volumes({"sqlite": {"persistence": {"enabled": False}}}) == volumes(postgres()) == set()
    assert volumes(postgres(documents={"persistence": {"enabled": True}})) == {"users-kira-users-documents"}


def test_an_alert_leads_nowhere_until_it_is_told_where_the_runbook_stands():
    untold = postgres(metrics={"prometheusRule": {"enabled": True}})
    assert not any("runbook_url" in alert["annotations"] for alert in alerts(untold))


def test_the_thresholds_are_those_of_the_values():
    own = {"enabled": True, "availabilityObjective": 99.5, "latencySeconds": 0.25, "queueAgeSeconds": 60}
    text = yaml.safe_dump(alerts(postgres(metrics={"prometheusRule": own})))
    assert "14.4 * 0.005000" in text and "> 0.25" in text and "> 60" in text
    assert "$SELECTOR" not in text and "$BUDGET" not in text


def asked_for(query):
    """The series that a query names, each with the labels that it is chosen by."""
    names = r"\b((?:kira|process|db_client|kubelet)_\w+|kira:\w+:\w+|up)\b(?:\{([^}]*)\})?"
    return [(name, set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", chosen))) for name, chosen in re.findall(names, query)]


@pytest.mark.parametrize("query", [*[q for _, q in queries()], *[r["expr"] for g in rules()["groups"] for r in g["rules"]]])
def test_a_query_asks_for_what_there_is(query):
    series = known()
    named_series = asked_for(filled(query))
    assert named_series, query
    for name, labels in named_series:
        assert name in series, name
        assert labels <= series[name] | TARGET_LABELS, (name, labels)
        # Without both it would add up what other releases show.
        assert {"namespace", "persistentvolumeclaim" if name in VOLUME_SERIES else "job"} <= labels, name
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    assert grouped <= set().union(TARGET_LABELS, *(series[name] for name, _ in named_series)), grouped


def test_promtool_takes_the_queries_of_the_dashboard(tmp_path):
    file = tmp_path / "queries.yaml"
    records = [{"record": f"panel:{n}", "expr": filled(query)} for n, (_, query) in enumerate(queries())]
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    done = run("promtool", "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documents_and_the_list_of_metrics_say_the_same():
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text[text.index("**Metrics**, by"):].split("\n## ")[0]
    series = known()
    for name, labels in re.findall(r"`((?:kira|db_client)_\w+)(?:\{([^}]*)\})?`", table):
        found = series.get(name, series.get(name + "_count"))
        assert found == set(filter(None, labels.split(","))), name


def test_the_dashboard_shows_every_metric():
    shown = {name for _, query in queries() for name, _ in asked_for(query)}
    for line in (HERE / "metrics.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert any(name.startswith(line.split()[1]) for name in shown), line


def test_the_panels_do_not_lie_on_each_other():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_the_dashboard_comes_as_it_is_in_the_file():
    config = named(render(EVERYTHING), "ConfigMap", "kira-dashboard")
    assert json.loads(config["data"]["kira-users.json"]) == dashboard()
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_monitors_find_the_admin_port_of_every_running_pod():
    objects = render(EVERYTHING)
    [monitor] = of_kind(objects, "ServiceMonitor")
    selector = monitor["spec"]["selector"]["matchLabels"]
    [service] = [it for it in of_kind(objects, "Service") if matches(selector, it["metadata"]["labels"])]
    assert [port["name"] for port in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    assert service["spec"]["publishNotReadyAddresses"] is True
    objects = render(MODES["PodMonitor"])
    [monitor] = of_kind(objects, "PodMonitor")
    for choice in (monitor["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        release = EVERYTHING if choice is service["spec"]["selector"] else MODES["PodMonitor"]
        found = [it["kind"] for it in workloads(render(release)) if matches(choice, labels_of(it))]
        assert found == ["Deployment", "Deployment"], "the API and the worker, not Jobs and tests"


def test_the_job_that_alerts_ask_for_is_the_one_that_monitors_give():
    for mode in ("postgres with everything on", "PodMonitor"):
        objects = render(MODES[mode])
        [monitor] = of_kind(objects, "ServiceMonitor", "PodMonitor")
        [endpoint] = monitor["spec"].get("endpoints", monitor["spec"].get("podMetricsEndpoints"))
        [job] = [it["replacement"] for it in endpoint["relabelings"] if it["targetLabel"] == "job"]
        [rule] = of_kind(objects, "PrometheusRule")
        assert f'job="{job}"' in yaml.safe_dump(rule)
