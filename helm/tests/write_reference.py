"""Writes the table of values into the chart's README, from the comments of values.yaml."""

import json
import pathlib
import re

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm" / "kira-users"
BEGIN, END = "<!-- values: written by helm/tests/write_reference.py -->\n", "<!-- /values -->"


def reference():
    """Path, default and description of every value with a comment `# --` above it."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    path, description, found = [], [], []
    for line in text.splitlines():
        if comment := re.fullmatch(r" *# (-- )?(.*)", line):
            if comment[1]:
                description = [comment[2]]
            elif description:
                description.append(comment[2])
        elif key := re.match(r"( *)([A-Za-z0-9]+):", line):
            depth = len(key[1]) // 2
            path = [*path[:depth], key[2]]
            if description:
                value = values
                for part in path:
                    value = value[part]
                found.append((".".join(path), value, " ".join(description)))
            description = []
        elif not line.strip():
            description = []
    return found


class Readme:
    """The chart's README."""

    file = CHART / "README.md"

    def read_text(self):
        return self.file.read_text()

    def with_values(self):
        """The README with the table as the values are now."""
        before, rest = self.read_text().split(BEGIN)
        after = rest.split(END)[1]
        rows = [f"| `{path}` | `{json.dumps(value)}` | {text.replace('|', chr(92) + '|')} |" for path, value, text in reference()]
        table = "\n".join(["| Value | Default | Meaning |", "|---|---|---|", *rows])
        return f"{before}{BEGIN}{table}\n{END}{after}"


README = Readme()

if __name__ == "__main__":
    README.file.write_text(README.with_values())
