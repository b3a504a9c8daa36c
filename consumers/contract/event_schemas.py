"""JSON Schemas of the events on the topics, one per type and version, made from the event classes.

``python -m consumers.contract.event_schemas`` writes schemas that are missing or have new optional
fields. Readers rely on a schema, so any other change is refused: it needs a new version of the
event. Schemas of old versions are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from inspect import getdoc
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from domain.aggregate import DomainEvent
from domain.personal import parts
from domain.stream_types import EVENTS

FOLDER = Path(__file__).parent / "schemas"
DRAFT = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]

_NOT_IN_VALUE = ("originator_id", "originator_version")


def schemas(events: tuple[type[DomainEvent], ...] = EVENTS) -> dict[str, Schema]:
    """Return event type → schema of the record's value. Readers have to ignore unknown fields."""
    return {event.TOPIC: _schema(event) for event in events}


def breaking(old: Schema, new: Schema, where: str = "") -> Iterator[str]:
    """Yield a sentence for each change other than a new optional field."""
    name = where or "the value"
    if old.get("properties") is None or new.get("properties") is None:
        if old != new:
            yield f"{name} has changed"
        return
    if set(old.get("required", [])) != set(new.get("required", [])):
        yield f"{name} has other required fields"
    for field, before in old["properties"].items():
        path = f"{where}.{field}".lstrip(".")
        if field not in new["properties"]:
            yield f"{path} was removed"
        else:
            yield from breaking(before, new["properties"][field], path)
    compared = ("properties", "required", "description")
    if _without(old, compared) != _without(new, compared):
        yield f"{name} has changed"


def write(folder: Path = FOLDER, made: Mapping[str, Schema] | None = None) -> list[str]:
    """Write new and compatible schemas; return the reasons why others were not written."""
    refused: list[str] = []
    for topic, schema in (schemas() if made is None else made).items():
        file = folder / f"{topic}.json"
        if file.exists() and (broken := list(breaking(orjson.loads(file.read_bytes()), schema))):
            refused += [f"{topic}: {sentence}: make it a new version" for sentence in broken]
            continue
        file.write_bytes(as_file(schema))
    return refused


def as_file(schema: Schema) -> bytes:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _schema(event: type[DomainEvent]) -> Schema:
    whole = TypeAdapter(event).json_schema()
    inlined = _inlined(whole, whole.get("$defs", {}))
    hidden = [*parts(event).paths, *_NOT_IN_VALUE]
    for path in hidden:
        _remove(inlined, path.split("."))
    about = (getdoc(event) or "").partition("\n")[0]
    return {
        "$schema": DRAFT,
        "$id": f"{event.TOPIC}.json",
        "title": event.TOPIC,
        "description": about,
        **_without(inlined, ("title", "description", "$defs")),
    }


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Return the schema without references, and without titles and descriptions of values."""
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    kept = {key: value for key, value in node.items() if key not in {"title", "description"}}
    if isinstance(fields := node.get("properties"), dict):
        kept["properties"] = fields
    return {
        key: {name: _inlined(field, definitions) for name, field in value.items()}
        if key == "properties"
        else _inlined(value, definitions)
        for key, value in kept.items()
        if key != "$defs"
    }


def _remove(schema: Schema, path: list[str]) -> None:
    name, *rest = path
    if rest:
        _remove(schema["properties"][name], rest)
        return
    del schema["properties"][name]
    schema["required"] = [each for each in schema.get("required", []) if each != name]


def _without(schema: Schema, names: tuple[str, ...]) -> Schema:
    return {name: value for name, value in schema.items() if name not in names}


if __name__ == "__main__":
    if problems := write():
        sys.exit("\n".join(problems))
