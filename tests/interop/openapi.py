"""Checks docs/openapi.json with tools that are not ours: `python openapi.py PATH_OF_KIRA_USERS`.

The document is OpenAPI 3.1, every example is of its schema, and the YAML of the running program is the same document.
"""

import json
import pathlib
import sys
import tempfile
import urllib.request

import yaml
from openapi_spec_validator import validate

from schemas import Schemas
from webhooks import DEADLINE, program

VERBS = ("get", "put", "post", "patch", "delete")


def media(document):
    """Every media type object with the place where it is."""
    paths = [(path, item) for path, item in document["paths"].items()]
    paths += [(f"webhook {name}", item) for name, item in document["webhooks"].items()]
    for path, item in paths:
        for verb in VERBS:
            operation = item.get(verb)
            if operation is None:
                continue
            if "requestBody" in operation:
                for kind, content in operation["requestBody"]["content"].items():
                    yield f"{verb} {path}: request {kind}", content
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
                for kind, content in response.get("content", {}).items():
                    yield f"{verb} {path}: {status} {kind}", content


def check_examples(schemas):
    checked, wrong = 0, []
    for place, content in media(schemas.document):
        examples = {name: example["value"] for name, example in content.get("examples", {}).items()}
        if "example" in content:
            examples["example"] = content["example"]
        for name, value in examples.items():
            checked += 1
            wrong += [f"{place}: {name}: {error}" for error in schemas.errors(content["schema"], value)]
    return checked, wrong


def check_operations(document):
    """What no standard asks for and every reader expects."""
    wrong = []
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            place = f"{verb} {path}"
            languages = [sample["label"] for sample in operation["x-codeSamples"]]
            if languages != ["curl", "Python", "TypeScript", "Go"]:
                wrong.append(f"{place}: samples in {languages}")
            for sample in operation["x-codeSamples"]:
                if sample["label"] == "Python":
                    compile(sample["source"], place, "exec")
            if not operation["summary"] or not operation["description"]:
                wrong.append(f"{place}: no description")
    return wrong


def check_yaml(path, document):
    """The YAML of a running service is the same document."""
    with tempfile.TemporaryDirectory() as folder, program(path, pathlib.Path(folder)) as (_, _, base):
        with urllib.request.urlopen(f"{base}/openapi.yaml", timeout=DEADLINE) as answer:
            shown = yaml.load(answer.read(), Loader=yaml.CBaseLoader)

    def texts(value):
        """As a reader of YAML that knows texts alone sees it."""
        if isinstance(value, dict):
            return {key: texts(item) for key, item in value.items()}
        if isinstance(value, list):
            return [texts(item) for item in value]
        return value if isinstance(value, str) else json.dumps(value)

    return [] if shown == texts(document) else ["/openapi.yaml is another document than docs/openapi.json"]


def main(path):
    schemas = Schemas()
    validate(schemas.document)
    checked, wrong = check_examples(schemas)
    wrong += check_operations(schemas.document)
    wrong += check_yaml(path, schemas.document)
    for line in wrong:
        print(line)
    print(f"{checked} examples checked, {len(wrong)} problems")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1])
