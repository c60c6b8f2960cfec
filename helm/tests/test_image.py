"""The Dockerfile agrees with the program and the chart; building it needs an engine, which a test has not."""

import re
import tomllib

from chart import ROOT, TOOLS, containers, environment, of_kind, render, run, template_of

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def last_stage():
    return DOCKERFILE[DOCKERFILE.index("FROM scratch"):]


def variables():
    return dict(re.findall(r"(?:^ENV|\\\n)\s+(\w+)=(\S+)", last_stage(), re.MULTILINE))


def test_hadolint_has_no_complaint():
    done = run(TOOLS / "bin" / "hadolint", ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_is_the_program_s():
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert re.search(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)[1] == cargo["workspace"]["package"]["version"]


def test_the_image_is_built_with_cloud_stores_and_runs_without_root():
    assert "--features cloud" in DOCKERFILE and "+crt-static" in DOCKERFILE
    assert "\nUSER 65532:65532\n" in last_stage()
    assert 'HEALTHCHECK' in last_stage() and 'CMD ["kira-users", "healthcheck"]' in last_stage()


def test_the_chart_runs_the_image_as_it_is_made():
    objects = render({})
    [api] = of_kind(objects, "Deployment")
    [container] = containers(api)
    user = re.search(r"^USER (\d+):(\d+)$", last_stage(), re.MULTILINE).groups()
    context = template_of(api)["spec"]["securityContext"]
    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))
    exposed = re.search(r"^EXPOSE (.*)$", last_stage(), re.MULTILINE)[1].split()
    assert sorted(exposed) == sorted(str(port["containerPort"]) for port in container["ports"])
    given = {name: value for name, value in variables().items() if name.startswith("KIRA_")}
    assert given == {name: environment(container)[name] for name in given} and len(given) == 4


def test_nothing_but_sources_gets_into_the_build():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*" and "**/target" in rules
    assert all((ROOT / rule[1:]).exists() for rule in rules if rule.startswith("!"))


def test_every_member_of_the_workspace_gets_into_the_build():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    for member in cargo["workspace"]["members"]:
        assert "!" + member.split("/")[0] in allowed
