"""What breaks a client of the released OpenAPI document: `python openapi_breaking.py NEW RELEASED`; with `--release` it writes RELEASED
instead. A request that was good must stay good, and what answers and webhooks had must stay in them.
"""

import copy
import json
import pathlib
import sys

VERBS = ("get", "put", "post", "patch", "delete")
# A request is narrowed by more of the first and by less of the second.
LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
# What no client depends on.
PROSE = {"description", "summary", "title", "example", "examples", "x-codeSamples", "x-enumDescriptions", "info", "servers", "tags"}
REQUEST, ANSWER = "request", "answer"


class Comparison:
    def __init__(self, old, new):
        self.old, self.new = old, new
        self.found, self.seen = [], set()

    def note(self, place, what):
        self.found.append(f"{place}: {what}")

    def document(self):
        for path, item in self.old["paths"].items():
            for verb in VERBS:
                if verb in item:
                    self.operation(f"{verb.upper()} {path}", item[verb], self.new["paths"].get(path, {}).get(verb))
        for event, item in self.old.get("webhooks", {}).items():
            new = self.new.get("webhooks", {}).get(event)
            if new is None:
                self.note(f"webhook {event}", "is gone")
            else:
                bodies = (item["post"]["requestBody"]["content"], new["post"]["requestBody"]["content"])
                self.content(f"webhook {event}", *bodies, ANSWER)
        return self.found

    def operation(self, place, old, new):
        if new is None:
            return self.note(place, "is gone")
        if old.get("operationId") != new.get("operationId"):
            self.note(place, f"operationId {old.get('operationId')} is {new.get('operationId')}")
        if old.get("security") != new.get("security"):
            self.note(place, "needs other credentials")
        if old.get("x-permission") != new.get("x-permission"):
            self.note(place, "needs another permission")
        self.parameters(place, self.by_name(self.old, old), self.by_name(self.new, new))
        self.body(f"{place}: body", old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                # Fewer errors break no one.
                if status.startswith("2"):
                    self.note(place, f"no longer answers {status}")
                continue
            old_response, new_response = (resolve(*pair) for pair in ((self.old, response), (self.new, new["responses"][status])))
            for header in old_response.get("headers", {}):
                if header not in new_response.get("headers", {}):
                    self.note(f"{place}: {status}", f"has no header {header}")
            self.content(f"{place}: {status}", old_response.get("content", {}), new_response.get("content", {}), ANSWER)

    @staticmethod
    def by_name(document, operation):
        parameters = (resolve(document, parameter) for parameter in operation.get("parameters", []))
        return {(parameter["in"], parameter["name"].lower()): parameter for parameter in parameters}

    def parameters(self, place, old, new):
        for key, parameter in old.items():
            if key not in new:
                self.note(place, f"parameter {key[1]} is gone")
            else:
                self.schema(f"{place}: {key[1]}", parameter["schema"], new[key]["schema"], REQUEST)
        for key, parameter in new.items():
            if parameter.get("required") and not old.get(key, {}).get("required"):
                self.note(place, f"parameter {key[1]} is required")

    def body(self, place, old, new):
        if new is None:
            return None if old is None else self.note(place, "is gone")
        if new.get("required") and not (old or {}).get("required"):
            self.note(place, "is required")
        return self.content(place, (old or {}).get("content", {}), new["content"], REQUEST)

    def content(self, place, old, new, side):
        for kind, media in old.items():
            if kind not in new:
                self.note(place, f"{kind} is gone")
                continue
            for key in ("schema", "x-itemSchema"):
                if key in media:
                    self.schema(place, media[key], new[kind].get(key, {}), side)

    def schema(self, place, old, new, side):
        pair = (old.get("$ref"), new.get("$ref"), side)
        if all(pair[:2]):
            if pair in self.seen:
                return
            self.seen.add(pair)
        old, new = flat(self.old, old), flat(self.new, new)
        self.types(place, old, new, side)
        self.limits(place, old, new, side)
        self.alternatives(place, old, new, side)
        properties = new.get("properties", {})
        for name, member in old.get("properties", {}).items():
            if name in properties:
                self.schema(f"{place}.{name}", member, properties[name], side)
            elif new.get("properties") or not new.get("oneOf"):
                self.note(f"{place}.{name}", "is gone")
        earlier, later = (old, new) if side == REQUEST else (new, old)
        for name in set(later.get("required", [])) - set(earlier.get("required", [])):
            if side == REQUEST or name in properties:
                self.note(f"{place}.{name}", "is required" if side == REQUEST else "may be absent")
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                self.schema(f"{place}[]", old[key], new[key], side)

    def types(self, place, old, new, side):
        old_types, new_types = types(old), types(new)
        lost = old_types - new_types if side == REQUEST else new_types - old_types
        if old_types and new_types and lost:
            self.note(place, f"the type {sorted(old_types)} is {sorted(new_types)}")
        if old_types and not new_types and side == ANSWER:
            self.note(place, "has no type")
        values = lambda schema: {json.dumps(value) for value in schema.get("enum", [schema["const"]] if "const" in schema else [])}
        gone = values(old) - values(new)
        if side == REQUEST and values(new) and (gone or not values(old)):
            self.note(place, f"no longer takes {', '.join(sorted(gone)) or 'every value'}")

    def limits(self, place, old, new, side):
        if side == ANSWER:
            return
        for keys, narrower in ((LOWER, lambda new, old: new > old), (UPPER, lambda new, old: new < old)):
            for key in keys:
                if key in new and (key not in old or narrower(new[key], old[key])):
                    self.note(place, f"{key} is {new[key]}, was {old.get(key, 'none')}")
        for key in ("pattern", "format", "multipleOf", "uniqueItems", "not"):
            if key in new and new[key] != old.get(key):
                self.note(place, f"{key} is {new[key]}, was {old.get(key, 'none')}")
        if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            self.note(place, "refuses unknown keys")

    def alternatives(self, place, old, new, side):
        for key in ("oneOf", "anyOf"):
            known = {name(schema): schema for schema in new.get(key, [])}
            for position, schema in enumerate(old.get(key, [])):
                other = known.get(name(schema)) or (new.get(key, [])[position : position + 1] or [None])[0]
                if other is None:
                    self.note(place, f"{name(schema)} is gone")
                else:
                    self.schema(place, schema, other, side)


def name(schema):
    return schema.get("$ref", json.dumps(schema.get("required", schema.get("type"))))


def types(schema):
    kind = schema.get("type", [])
    found = {kind} if isinstance(kind, str) else set(kind)
    return found | ({"integer"} if "number" in found else set())


def resolve(document, value):
    while "$ref" in value:
        here = document
        for key in value["$ref"].removeprefix("#/").split("/"):
            here = here[key.replace("~1", "/").replace("~0", "~")]
        value = here
    return value


def flat(document, schema):
    """A schema with what its `allOf` adds."""
    schema = dict(resolve(document, schema))
    for part in schema.pop("allOf", []):
        part = flat(document, part)
        schema["properties"] = part.get("properties", {}) | schema.get("properties", {})
        schema["required"] = [*schema.get("required", []), *part.get("required", [])]
        for key, value in part.items():
            schema.setdefault(key, value)
    return schema


def breaks(old, new):
    return Comparison(old, new).document()


def reduced(value, is_map=False):
    """What is compared: without prose. The keys of a map are names, not keywords."""
    if isinstance(value, list):
        return [reduced(item) for item in value]
    if not isinstance(value, dict):
        return value
    maps = ("properties", "paths", "webhooks", "schemas", "parameters", "headers", "responses", "content")
    return {key: reduced(item, key in maps) for key, item in value.items() if is_map or key not in PROSE}


def self_test(document):
    """Changes whose verdict is known. Each is made to the document that is released now."""
    users, create = "/v1/users", ("paths", "/v1/users", "post")
    individual = ("components", "schemas", "IndividualInput")
    event = ("components", "schemas", "EventData")

    def changed(path, change):
        new = copy.deepcopy(document)
        here = new
        for key in path:
            here = here[key]
        change(here)
        return new

    cases = [
        ("a path that is gone", ("paths",), lambda paths: paths.pop(users), True),
        ("a method that is gone", ("paths", users), lambda item: item.pop("post"), True),
        ("a status of a success that is gone", (*create, "responses"), lambda all: all.pop("201"), True),
        ("a new required parameter", (*create, "parameters"), lambda all: all.append(
            {"name": "x", "in": "query", "required": True, "schema": {"type": "string"}}), True),
        ("a field of a request that is gone", (*individual, "properties"), lambda all: all.pop("phone"), True),
        ("a field of a request that is required", individual, lambda schema: schema.setdefault("required", []).append("phone"), True),
        ("a narrower limit", (*individual, "properties", "first_name"), lambda schema: schema.update(maxLength=10), True),
        ("another type", (*individual, "properties", "first_name"), lambda schema: schema.update(type="integer"), True),
        ("a value of an enum that is gone", ("components", "schemas", "DocumentType", "enum"), lambda values: values.pop(), True),
        ("a field of an answer that is gone", (*event, "properties"), lambda all: all.pop("sequence"), True),
        ("a field of an answer that may be absent", (*event, "required"), lambda names: names.remove("status"), True),
        ("a webhook that is gone", ("webhooks",), lambda all: all.pop("user.created"), True),
        ("another permission", create, lambda operation: operation.update({"x-permission": "users:all"}), True),
        ("a new path", ("paths",), lambda paths: paths.update({"/v2": {}}), False),
        ("a new optional field of a request", (*individual, "properties"), lambda all: all.update(x={"type": "string"}), False),
        ("a wider limit", (*individual, "properties", "first_name"), lambda schema: schema.update(maxLength=100000), False),
        ("a new value of an enum", ("components", "schemas", "DocumentType", "enum"), lambda values: values.append("x"), False),
        ("a new field of an answer", (*event, "properties"), lambda all: all.update(x={"type": "string"}), False),
    ]
    assert breaks(document, document) == []
    for what, path, change, is_break in cases:
        found = breaks(document, changed(path, change))
        assert bool(found) == is_break, f"{what}: {found}"
    return len(cases)


def main(new_path, released_path, *options):
    new = reduced(json.loads(pathlib.Path(new_path).read_text()))
    released = pathlib.Path(released_path)
    if options == ("--release",):
        released.write_text(json.dumps(new, indent=1, sort_keys=True) + "\n")
        return
    old = json.loads(released.read_text())
    checked = self_test(old)
    found = breaks(old, new)
    for line in found:
        print(line)
    print(f"{checked} known changes judged; {len(found)} changes break clients of {released}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
