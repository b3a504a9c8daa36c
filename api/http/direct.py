"""The direct path of an endpoint: what FastAPI would do for a request, prepared at the start.

FastAPI matches one route after the other, passes seven layers, and finds out for each request
what an endpoint takes; that takes longer than most commands. An :class:`Endpoint` is made from the
same declaration, FastAPI's own ``Dependant``, so there is one set of rules: the same dependencies
run in the same order, the same validators judge the same parameters, and the same route class
surrounds them. Requests that are not plain, and endpoints that declare anything that is not
supported here, take FastAPI's path; both answer the same (``tests/api/test_direct.py``).
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Request, params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, serialize_response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import problems
from .conditional import ConditionalReads
from .documents import is_for_description
from .json_bodies import Answer, SurroundedRoute

JSON: Final = b"application/json"
PARAMETER: Final = None
"""In the place of a name in a path: any text but an empty one."""
_ABSENT: Final = object()
_PLAIN_DEFAULTS: Final = (type(None), bool, int, str)
_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")


class NotSupported(Exception):
    """An endpoint declares something that only FastAPI's path does."""


class _Parameter(NamedTuple):
    """A parameter of the path, the query or the headers."""

    name: str
    alias: str
    source: str
    is_list: bool
    model: Any
    """FastAPI's field, which validates."""
    default: Any


class _Step(NamedTuple):
    """A function to call, with results of the steps before and parameters of the request."""

    call: Callable[..., Coroutine[Any, Any, Any]]
    results: tuple[tuple[str, int], ...]
    """Arguments, and the steps that make them; -1 is for OpenAPI only, and makes ``None``."""
    needs: tuple[int, ...]
    """Steps whose failure prevents this one."""
    parameters: tuple[_Parameter, ...]
    request_name: str | None


class Endpoint:
    """Answers requests for one route."""

    def __init__(self, route: APIRoute, dependencies: Sequence[params.Depends] = ()) -> None:
        """``dependencies`` come before those of the route.

        Raises:
            NotSupported
        """
        whole = route.dependant
        before = [
            get_parameterless_sub_dependant(depends=each, path=route.path) for each in dependencies
        ]
        self.route = route
        self.answer: Answer
        """Runs the endpoint, and what surrounds it."""
        self._steps: list[_Step] = []
        self._numbers: dict[Callable[..., Any], int] = {}
        self._body = _body_of(route)
        self._last = self._step(whole, [*before, *whole.dependencies])
        if not _is_plain(type(route)) or not _is_answer_supported(route):
            raise NotSupported(route.path)
        surround = route.surround if isinstance(route, SurroundedRoute) else _as_it_is
        self.answer = surround(self._answer)

    def _number(self, dependant: Dependant) -> int:
        """Return the number of a dependency's step; each runs once for a request."""
        call = dependant.call
        if call is None or not dependant.use_cache or dependant.body_params:
            raise NotSupported(call)
        if call in self._numbers:
            if _has_parameters(dependant):  # FastAPI reports what is wrong with them twice
                raise NotSupported(call)
            return self._numbers[call]
        step = self._step(dependant, dependant.dependencies)
        self._steps.append(step)
        self._numbers[call] = len(self._steps) - 1
        return self._numbers[call]

    def _step(self, dependant: Dependant, dependencies: Sequence[Dependant]) -> _Step:
        if not inspect.iscoroutinefunction(dependant.call) or not _is_supported(dependant):
            raise NotSupported(dependant.call)
        results, needs = [], []
        for each in dependencies:
            if is_for_description(each.call):
                if each.name:
                    results.append((each.name, -1))
                continue
            number = self._number(each)
            needs.append(number)
            if each.name:
                results.append((each.name, number))
        return _Step(
            dependant.call,
            tuple(results),
            tuple(needs),
            tuple(_parameters(dependant)),
            dependant.request_param_name,
        )

    async def _answer(self, request: Request) -> Response:
        """Do what FastAPI's handler does: read the body, run the dependencies, then the endpoint.

        Raises:
            RequestValidationError, or whatever they raise.
        """
        body = _ABSENT if self._body is None else await _read(request)
        found: list[Any] = []
        errors: list[Any] = []
        failed: set[int] = set()
        for number, step in enumerate(self._steps):
            found.append(None)
            if failed and not failed.isdisjoint(step.needs):
                failed.add(number)
                continue
            arguments, wrong = _arguments(step, request, found)
            if wrong:
                errors += wrong
                failed.add(number)
                continue
            found[number] = await step.call(**arguments)
        arguments, wrong = _arguments(self._last, request, found)
        errors += wrong
        if self._body is not None:
            value, wrong = _validated(self._body, body, ("body",))
            arguments[self._body.name] = value
            errors += wrong
        if errors:
            raise RequestValidationError(errors)
        response = await self._last.call(**arguments)
        return response if isinstance(response, Response) else await self._rendered(response)

    async def _rendered(self, answer: Any) -> Response:
        content = await serialize_response(
            field=self.route.response_field, response_content=answer, dump_json=True
        )
        return Response(content, self.route.status_code or 200, media_type="application/json")


def _arguments(
    step: _Step, request: Request, found: Sequence[Any]
) -> tuple[dict[str, Any], list[Any]]:
    arguments = {name: found[number] if number >= 0 else None for name, number in step.results}
    errors: list[Any] = []
    for parameter in step.parameters:
        value = _given(parameter, request)
        if value is _ABSENT and parameter.default is not _ABSENT:
            arguments[parameter.name] = parameter.default
            continue
        place = (parameter.source, parameter.alias)
        arguments[parameter.name], wrong = _validated(parameter.model, value, place)
        errors += wrong
    if step.request_name:
        arguments[step.request_name] = request
    return arguments, errors


def _given(parameter: _Parameter, request: Request) -> Any:
    if parameter.source == "path":
        return request.path_params[parameter.alias]
    if parameter.source == "query":
        if not request.scope["query_string"]:
            return _ABSENT
        given = request.query_params
        found = given.getlist(parameter.alias)
        return (found if parameter.is_list else found[-1]) if found else _ABSENT
    wanted = parameter.alias.lower().encode("latin-1")
    found = [str(value, "latin-1") for name, value in request.scope["headers"] if name == wanted]
    return (found if parameter.is_list else found[0]) if found else _ABSENT


def _validated(model: Any, value: Any, place: tuple[str, ...]) -> tuple[Any, list[Any]]:
    if value is _ABSENT:
        if not model.field_info.is_required():
            return model.get_default(), []
        return None, [{"type": "missing", "loc": place, "msg": "Field required", "input": None}]
    found: tuple[Any, list[Any]] = model.validate(value, {}, loc=place)
    return found


async def _read(request: Request) -> Any:
    """Read and parse the body.

    Raises:
        RequestValidationError: it is not JSON.
        HTTPException: too large.
        ClientDisconnect
    """
    try:
        return await request.json() if await request.body() else _ABSENT
    except json.JSONDecodeError as error:
        place, context = ("body", error.pos), {"error": error.msg}
        line = {"type": "json_invalid", "loc": place, "msg": "JSON decode error", "ctx": context}
        raise RequestValidationError([line]) from None
    except (HTTPException, ClientDisconnect):
        raise
    except Exception as error:  # as FastAPI does
        raise HTTPException(400) from error


# -- what an endpoint declares ---------------------------------------------------------------------


def _as_it_is(answer: Answer) -> Answer:
    return answer


def _is_plain(route_class: type[APIRoute]) -> bool:
    """Return whether nothing is between the route and its endpoint but what it surrounds it by."""
    ours = SurroundedRoute if issubclass(route_class, SurroundedRoute) else APIRoute
    names = ("get_route_handler", "matches", "handle")
    return all(getattr(route_class, name) is getattr(ours, name) for name in names)


def _is_answer_supported(route: APIRoute) -> bool:
    """Return whether the endpoint returns a response, or what is rendered in the usual way."""
    if route.response_field is None:
        found = get_type_hints(route.endpoint).get("return")
        return inspect.isclass(found) and issubclass(found, Response)
    options = (
        route.response_model_include,
        route.response_model_exclude,
        route.response_model_exclude_unset,
        route.response_model_exclude_defaults,
        route.response_model_exclude_none,
        not route.response_model_by_alias,
        not isinstance(route.response_class, DefaultPlaceholder),
        route.stream_item_field,
    )
    return not any(options)


def _body_of(route: APIRoute) -> Any:
    declared = route.dependant.body_params
    if not declared:
        return None
    if len(declared) > 1 or route.body_field is not declared[0]:
        raise NotSupported(route.path)
    if type(declared[0].field_info) is not params.Body:  # a form
        raise NotSupported(route.path)
    return declared[0]


def _is_supported(dependant: Dependant) -> bool:
    others = (
        dependant.cookie_params,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
        dependant.concurrency,
    )
    return not any(others)


def _has_parameters(dependant: Dependant) -> bool:
    own = dependant.path_params or dependant.query_params or dependant.header_params
    return bool(own) or any(map(_has_parameters, dependant.dependencies))


def _parameters(dependant: Dependant) -> Iterator[_Parameter]:
    sources = {
        "path": dependant.path_params,
        "query": dependant.query_params,
        "header": dependant.header_params,
    }
    for source, models in sources.items():
        for model in models:
            info = model.field_info
            is_model = inspect.isclass(info.annotation) and issubclass(info.annotation, BaseModel)
            default = _ABSENT if info.is_required() else model.get_default()
            if (
                is_model
                or info.validate_default
                or model.validation_alias not in {None, model.alias}
            ):
                raise NotSupported(model.name)
            if default is not _ABSENT and not isinstance(default, _PLAIN_DEFAULTS):
                raise NotSupported(model.name)
            is_list = _is_list(info.annotation)
            yield _Parameter(model.name, model.alias, source, is_list, model, default)


def _is_list(annotation: Any) -> bool:
    """Return whether all values of a header or parameter are wanted, or ``None``."""
    return any(get_origin(each) is list for each in (annotation, *get_args(annotation)))


# -- routes ----------------------------------------------------------------------------------------


_Found = tuple[Endpoint | None, tuple[str, ...]]
"""An endpoint, or ``None`` for FastAPI's path, and the names of the path's parameters."""
_PASSED_ON: Final[_Found] = None, ()


@dataclass
class _Node:
    """What may follow in a path."""

    inner: dict[str | None, _Node] = field(default_factory=dict)
    endpoints: dict[str, _Found] = field(default_factory=dict)
    """By method."""


class DirectRoutes:
    """Finds a request's endpoint by its method and path, and answers; all else is passed on. Reads
    are conditional, wherever they are answered."""

    def __init__(
        self,
        routers: Iterable[APIRouter],
        otherwise: ASGIApp,
        *,
        before: Iterable[APIRouter] = (),
        dependencies: Sequence[params.Depends] = (),
    ) -> None:
        """Routes of ``before`` take precedence, and are not answered here."""
        self._otherwise = otherwise
        self._conditional = ConditionalReads(self._answer)
        self._root = _Node()
        others: list[BaseRoute] = [route for router in before for route in router.routes]
        known: list[APIRoute] = []
        self.endpoints: list[Endpoint] = []
        for route in (route for router in routers for route in router.routes):
            is_first = not any(_overlap(each, route) for each in others)
            if is_first and isinstance(route, APIRoute) and _is_found(route, known):
                self._add(route, dependencies)
                known.append(route)
            else:
                others.append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._conditional(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" and is_plain(scope) else None
        if found is None:
            await self._otherwise(scope, receive, send)
            return
        endpoint, scope["path_params"] = found
        scope["route"] = endpoint.route
        request = Request(scope, receive)
        try:
            response = await endpoint.answer(request)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  a problem document, as on FastAPI's path
            response = problems.of(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Endpoint, dict[str, str]] | None:
        node, given = self._root, []
        for part in scope["path"].split("/"):
            if (inner := node.inner.get(part)) is None:
                if (inner := node.inner.get(PARAMETER)) is None or not part:
                    return None
                given.append(part)
            node = inner
        endpoint, names = node.endpoints.get(scope["method"], _PASSED_ON)
        return (endpoint, dict(zip(names, given, strict=True))) if endpoint else None

    def _add(self, route: APIRoute, dependencies: Sequence[params.Depends]) -> None:
        endpoint = None  # found, and passed on
        with suppress(NotSupported):
            endpoint = Endpoint(route, dependencies)
            self.endpoints.append(endpoint)
        node, names = self._root, []
        for part in route.path.split("/"):
            if parameter := _PARAMETER.fullmatch(part):
                names.append(parameter[1])
            node = node.inner.setdefault(PARAMETER if parameter else part, _Node())
        node.endpoints |= {method: (endpoint, tuple(names)) for method in route.methods or ()}


def is_plain(scope: Scope) -> bool:
    """Return whether a request has a body in JSON without parameters of the type, or no type."""
    given = [value for name, value in scope["headers"] if name == b"content-type"]
    return given in ([JSON], []) and not scope.get("root_path")


def _overlap(earlier: BaseRoute, later: BaseRoute) -> bool:
    """Return whether a request may be for both, or that is unknown."""
    if not isinstance(earlier, Route | Mount) or not isinstance(later, Route):
        return True
    if isinstance(earlier, Mount) or not (_is_simple(earlier) and _is_simple(later)):
        return earlier.path_regex.match(re.sub(r"[{}]", "-", later.path)) is not None
    if not (earlier.methods or set()) & (later.methods or set()):
        return False
    pairs = _pairs(earlier, later)
    return pairs is not None and all(
        one == other or _PARAMETER.fullmatch(one) or _PARAMETER.fullmatch(other)
        for one, other in pairs
    )


def _is_found(route: APIRoute, known: Iterable[APIRoute]) -> bool:
    """Return whether a path's names are followed to this route as in FastAPI, where the first of
    all routes that fit is taken: those ``known`` have to be more specific where both fit."""
    return _is_simple(route) and all(
        all(one == other or _PARAMETER.fullmatch(other) for one, other in _pairs(each, route) or ())
        for each in known
        if _overlap(each, route)
    )


def _is_simple(route: Route) -> bool:
    """Return whether each part of the path is a name or a parameter."""
    return all("{" not in part or _PARAMETER.fullmatch(part) for part in route.path.split("/"))


def _pairs(earlier: Route, later: Route) -> list[tuple[str, str]] | None:
    """Return the parts at the same places; ``None`` for paths of different lengths."""
    one, other = earlier.path.split("/"), later.path.split("/")
    return list(zip(one, other, strict=True)) if len(one) == len(other) else None
