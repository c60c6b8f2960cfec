"""The JSON Schemas of docs/openapi.json."""

import json
import pathlib

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.json"


def absolute(schema):
    """A schema whose references are to the document, wherever it is used."""
    if isinstance(schema, dict):
        return {key: f"urn:openapi{value}" if key == "$ref" else absolute(value) for key, value in schema.items()}
    return [absolute(item) for item in schema] if isinstance(schema, list) else schema


class Schemas:
    def __init__(self):
        self.document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
        resource = Resource(contents=self.document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:openapi", resource)

    def errors(self, schema, value):
        """What is wrong with a value."""
        validator = Draft202012Validator(absolute(schema), registry=self.registry, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
