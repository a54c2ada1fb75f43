"""The page at /docs: the OpenAPI document as people read it, with nothing loaded from elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganfill.report.html import Table, render


@dataclass(frozen=True)
class Operation:
    """An endpoint as the page shows it."""

    heading: str
    text: str
    tables: list[Table]


def reference(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document, as one HTML file."""
    info = document["info"]
    facts = {"version": info["version"], "for programs": "/openapi.json, OpenAPI " + document["openapi"]}
    operations = [
        Operation(f"{method.upper()} {path}", _text(operation), list(_tables(document, operation)))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return render(
        "api.html",
        title=f"{info['title']} {info['version']}",
        text=info["description"],
        facts=facts,
        operations=operations,
    )


def _text(operation: Mapping[str, Any]) -> str:
    return ". ".join(operation[key].rstrip(".") for key in ("summary", "description") if operation.get(key)) + "."


def _tables(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Table]:
    """What an operation takes, and what it answers."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        form = _resolve(document, content["schema"])
        yield _fields(f"Takes {kind}", form)
        for name, field in form["properties"].items():
            if "contentSchema" in field:
                yield _fields(f"{name}, as {field['contentMediaType']}", field["contentSchema"])
    answers = [
        {"status": status, "content": ", ".join(answer.get("content", {})), "meaning": answer["description"]}
        for status, answer in operation["responses"].items()
    ]
    yield _table("Answers", ["status", "content", "meaning"], answers)
    for kind, content in operation["responses"]["200"]["content"].items():
        schema = _resolve(document, content.get("schema", {}))
        if "properties" in schema:
            yield _fields(f"200 as {kind}", schema)


def _fields(caption: str, schema: Mapping[str, Any]) -> Table:
    needed = schema.get("required", ())
    rows = [
        {
            "name": name,
            "needed": "yes" if name in needed else f"no, {field['default']}" if field.get("default") else "no",
            "kind": _kind(field),
            "meaning": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]
    return _table(caption, ["name", "needed", "kind", "meaning"], rows)


def _table(caption: str, columns: list[str], rows: list[dict[str, Any]]) -> Table:
    return Table(caption, columns, rows, settings=columns)


def _kind(field: Mapping[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "enum" in field:
        return ", ".join(str(value) for value in field["enum"] if value is not None)
    for variant in field.get("anyOf", ()):
        if variant.get("type") != "null":
            return _kind(variant)
    if "contentMediaType" in field:
        encoding = field.get("contentEncoding")
        return field["contentMediaType"] + (f" in {encoding}" if encoding else "")
    if "$ref" in field:
        return field["$ref"].rpartition("/")[2]
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("type") == "object":
        return f"names to {_kind(field['additionalProperties'])}"
    return "file" if field.get("format") == "binary" else field.get("type", "")


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names."""
    if "$ref" not in schema:
        return schema
    found: Any = document
    for word in schema["$ref"].removeprefix("#/").split("/"):
        found = found[word]
    return found
