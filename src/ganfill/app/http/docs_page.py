"""The page at /docs: the OpenAPI document as one HTML file that loads nothing from other servers."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganfill.report.html import Table, render

Json = Mapping[str, Any]


def docs_page(document: Json) -> str:
    """Renders an OpenAPI document."""
    info = document["info"]
    return render(
        "api.html",
        title=f"{info['title']} {info['version']}",
        text=info["description"],
        facts={"version": info["version"], "for programs": f"/openapi.json, OpenAPI {document['openapi']}"},
        operations=[
            {
                "heading": f"{method.upper()} {path}",
                "text": ". ".join(operation[key] for key in ("summary", "description") if key in operation),
                "tables": list(_tables(operation, document["components"]["schemas"])),
            }
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ],
    )


def _tables(operation: Json, schemas: Json) -> Iterator[Table]:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        form = schemas[_name(content["schema"])]
        yield _fields(f"Takes {media_type}", form)
        for name, field in form["properties"].items():
            if "contentSchema" in field:
                yield _fields(f"{name}, as {field['contentMediaType']}", field["contentSchema"])
    responses = operation["responses"]
    columns = ["status", "content", "meaning"]
    rows = [(status, ", ".join(found.get("content", {})), found["description"]) for status, found in responses.items()]
    yield Table("Answers", columns, [dict(zip(columns, row, strict=True)) for row in rows], settings=columns)
    for media_type, content in responses["200"]["content"].items():
        if "$ref" in content.get("schema", {}):
            yield _fields(f"200 as {media_type}", schemas[_name(content["schema"])])


def _fields(caption: str, schema: Json) -> Table:
    """A table of the fields of an object."""
    rows = [
        {
            "name": name,
            "needed": "yes" if name in schema.get("required", ()) else _optional(field),
            "kind": _kind(field),
            "meaning": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]
    return Table(caption, list(rows[0]), rows, settings=list(rows[0]))


def _optional(field: Json) -> str:
    default = field.get("default")
    return "no" if default is None else f"no, {default}"


def _kind(field: Json) -> str:
    """Returns the type of a field in a few words."""
    if "enum" in field:
        return ", ".join(str(value) for value in field["enum"] if value is not None)
    for variant in field.get("anyOf", ()):
        if variant.get("type") != "null":
            return _kind(variant)
    if "contentMediaType" in field:
        encoding = field.get("contentEncoding")
        return field["contentMediaType"] + (f" in {encoding}" if encoding else "")
    if "$ref" in field:
        return _name(field)
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("type") == "object":
        return f"names to {_kind(field['additionalProperties'])}"
    return "file" if field.get("format") == "binary" else field.get("type", "")


def _name(reference: Json) -> str:
    return reference["$ref"].rpartition("/")[2]
