"""What routes are made of, on FastAPI's path and on the direct one (:mod:`api.http.direct`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

Answer = Callable[[Request], Coroutine[Any, Any, Response]]
"""Runs an endpoint: reads the body, runs the dependencies, calls the function."""

F = TypeVar("F", bound=Callable[..., object])


class SurroundedRoute(APIRoute):
    """A route whose class adds something around its endpoint, the same on both paths."""

    def surround(self, answer: Answer) -> Answer:
        """Return what runs in place of ``answer``, and calls it."""
        return answer

    def get_route_handler(self) -> Answer:
        return self.surround(super().get_route_handler())


def for_description(dependency: F) -> F:
    """Mark a dependency that is there for OpenAPI only: it returns nothing and refuses nothing, so
    that the direct path leaves it out."""
    dependency.is_for_description = True  # type: ignore[attr-defined]
    return dependency


def is_for_description(dependency: object) -> bool:
    return getattr(dependency, "is_for_description", False)
