"""`{http-reference}`: the calls and objects of a running server's `/openapi.json`, as sections of a page."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generated import GeneratedPage, code, table
from sphinx.application import Sphinx

Json = Mapping[str, Any]

SHARED = "shared"
_EVERYBODY = {"SUPERADMIN", "ADMIN", "MODEL_DEVELOPER", "APP_DEVELOPER"}
_WHO = {
    frozenset(_EVERYBODY): "every user",
    frozenset(_EVERYBODY - {"APP_DEVELOPER"}): "model developers and admins",
    frozenset({"SUPERADMIN", "ADMIN"}): "admins",
    frozenset({"SUPERADMIN"}): "the superadmin",
}


#: Titles that do not follow from the noun, the tag of calls in the API's description.
_TITLES = {"platform": "The server", "users": "Users and tokens", "catalog": "Datasets and models"}


class HttpReference(GeneratedPage):
    def text(self) -> str:
        return "\n".join(Api(describe_server()).sections())


def describe_server() -> dict[str, Any]:
    """The description that a server gives of itself. Nothing of it runs: there is no store and no supervisor."""
    from rafiki.server.app import create_app
    from rafiki.server.openapi import describe
    from rafiki.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder)), None, None)  # type: ignore[arg-type]  # no route is called
        return describe(app)


class Api:
    def __init__(self, document: Json) -> None:
        self._calls = [
            (method.upper(), path, call) for path, calls in document["paths"].items() for method, call in calls.items()
        ]
        self._schemas: Mapping[str, Json] = document["components"]["schemas"]
        self._homes = self._find_homes()

    def _find_homes(self) -> dict[str, str]:
        """With which noun the objects of answers stand: that of the calls that give them, or none's."""
        nouns: defaultdict[str, set[str]] = defaultdict(set)
        for _, _, call in self._calls:
            for name in self._named_in(_answer_schema(call)):
                nouns[name].add(call["tags"][0])
        nouns["ErrorAnswer"] = nouns["FailureAnswer"] = {SHARED}
        return {name: next(iter(found)) if len(found) == 1 else SHARED for name, found in nouns.items()}

    def _named_in(self, schema: Any) -> Iterator[str]:
        """The objects that a schema has in it, at any depth."""
        if isinstance(schema, Mapping):
            if "$ref" in schema:
                name = _name_of(schema["$ref"])
                yield name
                yield from self._named_in(self._schemas[name])
            for value in schema.values():
                yield from self._named_in(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from self._named_in(value)

    # Sections -------------------------------------------------------------------------------------------------------

    def sections(self) -> Iterator[str]:
        """By noun its calls, and the objects that only they answer; last the objects that calls of several nouns do."""
        for noun in dict.fromkeys(call["tags"][0] for _, _, call in self._calls):
            yield f"## {_TITLES.get(noun) or noun.replace('_', ' ').capitalize()}\n"
            yield from self._section_of_calls(noun)
            yield from self._section_of_objects(noun)
        yield "## Shared objects\n"
        yield from self._section_of_objects(SHARED)

    def _section_of_calls(self, noun: str) -> Iterator[str]:
        for method, path, call in self._calls:
            if call["tags"][0] == noun:
                yield f"### `{method} {path}`\n"
                yield call["description"].partition("\n\nFor: ")[0] + "\n"
                yield from self._request(call)
                yield f"For {_who(call)}. Answers {self._answer(_answer_schema(call))}.\n"

    def _request(self, call: Json) -> Iterator[str]:
        parameters = [
            (code(one["name"]), self._type(one["schema"]), _meaning(one["schema"], one["required"]))
            for one in call.get("parameters", ())
            if one["in"] != "path"
        ]
        yield table(["parameter", "type", "meaning"], parameters)
        for kind, content in call.get("requestBody", {}).get("content", {}).items():
            yield f"Body, as `{kind}`:\n"
            yield self._fields(content["schema"])

    def _section_of_objects(self, home: str) -> Iterator[str]:
        for name in sorted(self._homes):
            if self._homes[name] == home:
                schema = self._schemas[name]
                yield f"(http-{name})=\n### {_title(name)} (object)\n"
                yield schema.get("description", "") + "\n"
                yield self._fields(schema)

    def _fields(self, schema: Json) -> str:
        if "$ref" in schema:
            schema = self._schemas[_name_of(schema["$ref"])]
        required = schema.get("required", ())
        return table(
            ["field", "type", "meaning"],
            (
                (code(name), self._type(field), _meaning(field, name in required))
                for name, field in schema["properties"].items()
            ),
        )

    # Types ----------------------------------------------------------------------------------------------------------

    def _answer(self, schema: Json | None) -> str:
        if schema is None or schema.get("format") == "binary":
            return "the bytes, as `application/octet-stream`"
        if schema.get("type") == "string":
            return "a line of text, as `text/plain`"
        kind = self._type(schema)
        article = {"list": "a ", "object": "an "}.get(kind.split()[0], "")
        return article + kind

    def _type(self, schema: Json) -> str:
        """A schema in a few words."""
        if "$ref" in schema:
            name = _name_of(schema["$ref"])
            return f"[{_title(name)}](#http-{name})"
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._type(one) for one in schema["anyOf"]))
        kind = schema.get("type")
        if "const" in schema:
            return code(schema["const"])
        if kind == "array":
            return f"list of {self._type(schema['items'])}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"object, of {self._type(schema['additionalProperties'])}"
        if kind == "string":
            return {"date-time": "time", "binary": "file"}.get(schema.get("format", ""), "text")
        return {None: "any JSON", "object": "object", "null": "null"}.get(kind, str(kind))


def _answer_schema(call: Json) -> Json | None:
    for content in call["responses"]["200"]["content"].values():
        schema: Json = content["schema"]
        return schema
    return None


def _meaning(schema: Json, is_required: bool) -> str:
    sentences = [schema.get("description", "")]
    if "default" in schema and schema["default"] is not None:
        sentences.append(f"default {code(str(schema['default']))}")
    elif not is_required:
        sentences.append("optional")
    if schema.get("examples"):
        sentences.append(f"such as {code(_json(schema['examples'][0]))}")
    return "; ".join(filter(None, sentences))


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def _who(call: Json) -> str:
    types = frozenset(call.get("x-user-types", ()))
    return _WHO[types] if types else "everybody, without a token"


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def _title(name: str) -> str:
    return name.removesuffix("Answer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("http-reference", HttpReference)
    return {"parallel_read_safe": True}
