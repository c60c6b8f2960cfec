"""The values, their schema, the README's table and the program's settings say the same."""

import json
import re
import tomllib

import pytest
import yaml

from chart import CHART, ROOT, config_file, environment, main_container, of_kind, render, settings
from modes import EVERYTHING
from write_reference import README, reference

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# Secrets, and what follows from how the chart puts the pods together.
NOT_BY_NAME = {
    "KIRA_DATABASE_URL", "KIRA_MASTER_KEYS", "KIRA_VENDOR_SECRET", "KIRA_DATA_DIR", "KIRA_DOCUMENTS_URL",
    "KIRA_DEMO_CLIENT", "KIRA_HTTP_ADDR", "KIRA_GRPC_ADDR", "KIRA_ADMIN_ADDR", "KIRA_SHUTDOWN_DELAY",
    "KIRA_SINK_NATS_URL", "KIRA_SINK_NATS_CREDENTIALS", "KIRA_SINK_AMQP_URL", "KIRA_SINK_REDIS_URL", "KIRA_SHUTDOWN_TIMEOUT", "KIRA_WORKER",
}


def keys_of_values(values, path=()):
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from keys_of_values(value, (*path, key))


def part_of_schema(path):
    part = SCHEMA
    for key in path:
        part = part.get("properties", {}).get(key, part.get("additionalProperties") or {})
        if "$comment" in part:
            break
    return part


def test_the_schema_has_a_place_for_every_value():
    for path in keys_of_values(VALUES):
        assert part_of_schema(path), path


def keys_of_schema(schema, path=()):
    for key, part in schema.get("properties", {}).items():
        yield (*path, key), part
        yield from keys_of_schema(part, (*path, key))


def test_every_key_of_the_schema_is_among_the_values():
    # What a person may leave out of these has no default to show.
    open_ended = ("resources", "timeouts", "global")
    # It is of the chart that has this one as a dependency, and of the items of lists.
    known = {("enabled",)}
    known |= set(keys_of_values(VALUES))
    for path, _ in keys_of_schema(SCHEMA):
        assert path in known or set(open_ended) & set(path), path


def objects_of_schema(schema, path="values"):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, part in schema.items():
            yield from objects_of_schema(part, f"{path}.{key}")


def test_the_schema_refuses_unknown_keys_everywhere():
    for path, schema in objects_of_schema(SCHEMA):
        passed_on = "$comment" in schema or path.endswith(".items") and "properties" not in schema
        assert passed_on or "additionalProperties" in schema, path
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path


def test_every_value_is_described():
    described = {path for path, _, _ in reference()}
    for path in keys_of_values(VALUES):
        name = ".".join(path)
        assert name in described or any(name.startswith(f"{it}.") or it.startswith(f"{name}.") for it in described), name


def test_the_readme_has_the_values_as_they_are():
    assert README.read_text() == README.with_values(), "run helm/tests/write_reference.py"


def test_the_chart_is_of_the_program_s_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert chart["appVersion"] == cargo["workspace"]["package"]["version"]


def known_to_the_chart():
    return set((CHART / "files" / "settings.txt").read_text().split())


def test_the_chart_knows_the_settings_of_the_program():
    assert known_to_the_chart() == settings(), "helm/kira-users/files/settings.txt lists the names of src/config/table.rs"


def placed():
    text = (CHART / "templates" / "_config.tpl").read_text()
    return set(re.findall(r'"(KIRA_[A-Z_]+)" \$v\.', text))


def api_settings(values):
    [api] = [it for it in of_kind(render(values), "Deployment") if it["metadata"]["name"].endswith("-api")]
    return environment(main_container(api))


@pytest.mark.parametrize("name", sorted(known_to_the_chart() - NOT_BY_NAME))
def test_every_setting_reaches_the_program(name):
    if "_TLS_" in name:
        assert name in api_settings(EVERYTHING)
    else:
        # What the chart has a number for is taken back first: it is given once.
        unset = {"maxBodyBytes": "", "maxConcurrentRequests": None}
        assert api_settings({"config": {name: "text"}, "server": unset})[name] == "text"


def test_every_value_with_a_place_of_its_own_reaches_the_program():
    assert placed() <= known_to_the_chart()
    data = api_settings(EVERYTHING)
    # Only the provider `rules` has a use for it.
    assert placed() - {"KIRA_RULES_AUTO_APPROVE"} <= set(data)
    assert data["KIRA_MAX_BODY_BYTES"] == "33554432" and data["KIRA_TRACE_SAMPLE_RATIO"] == "0.1"


def test_products_become_a_file_that_the_program_reads():
    for workload in of_kind(render(EVERYTHING), "Deployment", "Job"):
        assert tomllib.loads(config_file(workload)) == {"products": EVERYTHING["products"]}
