"""The web application: paths, limits and statuses; what they mean is in InterestService."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files as resource_files
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from interestrec.serving.access_tokens import AccessTokens
from interestrec.serving.interest_service import InterestService
from interestrec.serving.openapi_document import openapi_document, openapi_page
from interestrec.serving.request_bodies import (
    FeedbackBody,
    ItemsBody,
    RecommendBody,
    RequestError,
    read_body,
)
from interestrec.serving.service_metrics import ServiceMetrics

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_PAGE_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/favicon.ico": ("icon.svg", "image/svg+xml"),  # browsers ask for it where JSON, which names no icon, is shown
}
# The page runs its own script and nothing else, and no other page may hold it in a frame.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_OPEN_PATHS = {*_PAGE_FILES, "/healthz", "/readyz", "/openapi.json", "/docs"}  # nothing personal
_MOST_FOUND = 20  # results of a search

Handler = Callable[[Request, str], Awaitable[Response]]


class WebApplication:
    """Handlers of all paths."""

    def __init__(self, service: InterestService, tokens: AccessTokens | None) -> None:
        """`tokens` = None: whoever reaches the address may ask."""
        self.service = service
        self.tokens = tokens
        self.metrics = ServiceMetrics()

    def starlette(self) -> Starlette:
        """Return the ASGI application."""
        posts = {"/recommend": self.recommend, "/events": self.events, "/items": self.items}
        gets = {
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.figures,
            "/openapi.json": self.openapi,
            "/docs": self.docs,
            "/search/items": self.search_items,
            "/search/users": self.search_users,
        }
        routes = [Route(path, self._handled(path, handler), methods=["POST"]) for path, handler in posts.items()]
        routes += [Route(path, self._handled(path, handler), methods=["GET"]) for path, handler in gets.items()]
        routes += [Route(path, _page_file(*file), methods=["GET"]) for path, file in _PAGE_FILES.items()]
        host = self.service.settings.host
        # A page of the web that names a loopback address by a host of its own must not reach the service.
        allowed = [*_LOOPBACK, "[::1]"] if host in _LOOPBACK else ["*"]
        middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=allowed)]
        application = Starlette(
            routes=routes, middleware=middleware, exception_handlers={404: _no_route, 405: _no_route}
        )
        application.router.redirect_slashes = False  # a redirect would name the address that the service itself sees
        return application

    async def recommend(self, request: Request, request_id: str) -> Response:
        """Answer POST /recommend."""
        body = read_body(RecommendBody, await self._content(request))
        return JSONResponse(await self.service.recommend(body, request_id))

    async def events(self, request: Request, request_id: str) -> Response:
        """Answer POST /events; the events are on the disk when the answer is sent."""
        body = read_body(FeedbackBody, await self._content(request))
        return self._kept("events", len(body.events), await self.service.keep_events(body.events), request_id)

    async def items(self, request: Request, request_id: str) -> Response:
        """Answer POST /items; the items are on the disk when the answer is sent."""
        body = read_body(ItemsBody, await self._content(request))
        return self._kept("items", len(body.items), await self.service.keep_items(body.items), request_id)

    def _kept(self, kind: str, total: int, new: int, request_id: str) -> Response:
        self.metrics.feedback.labels(kind, "yes").inc(new)
        self.metrics.feedback.labels(kind, "no").inc(total - new)
        return JSONResponse({"request_id": request_id, "new": new, "known": total - new})

    async def healthz(self, request: Request, request_id: str) -> Response:
        """Answer GET /healthz."""
        return JSONResponse({"status": "running"})

    async def readyz(self, request: Request, request_id: str) -> Response:
        """Answer GET /readyz."""
        if not self.service.pool.is_ready:
            raise RequestError(503, "no scoring process is ready", retry_after=1)
        outline = self.service.outline
        return JSONResponse({"status": "ready", "decision": outline.digest, "as_of": outline.as_of})

    async def figures(self, request: Request, request_id: str) -> Response:
        """Answer GET /metrics."""
        service, metrics = self.service, self.metrics
        metrics.in_hand.set(service.in_hand)
        metrics.restarts.set(service.pool.restarts)
        metrics.swap_failures.set(service.swap_failures)
        metrics.decision.clear()
        metrics.decision.labels(str(service.pool.digest)).set(1)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, request: Request, request_id: str) -> Response:
        """Answer GET /openapi.json."""
        return JSONResponse(openapi_document())

    async def docs(self, request: Request, request_id: str) -> Response:
        """Answer GET /docs."""
        return HTMLResponse(openapi_page(), headers=_PAGE_HEADERS)

    async def search_items(self, request: Request, request_id: str) -> Response:
        """Answer GET /search/items."""
        found = await asyncio.to_thread(self.service.outline.search_items, _text(request), _MOST_FOUND)
        return JSONResponse({"items": found})

    async def search_users(self, request: Request, request_id: str) -> Response:
        """Answer GET /search/users; where the log has pseudonyms there is nothing that a person could search."""
        outline = self.service.outline
        hidden = outline.context.pseudonyms is not None
        found = [] if hidden else await asyncio.to_thread(outline.search_users, _text(request), _MOST_FOUND)
        return JSONResponse({"users": found, "are_pseudonyms": hidden})

    def _handled(self, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint with a request id, access control, errors as answers, and figures."""

        async def endpoint(request: Request) -> Response:
            began, request_id = time.perf_counter(), uuid4().hex
            try:
                if self.tokens and path not in _OPEN_PATHS:
                    self._admit(request, self.tokens)
                response = await handler(request, request_id)
            except RequestError as error:
                response = _error_response(error, request_id)
            except ClientDisconnect:
                response = Response(status_code=499)  # nobody reads it; the figures tell how often it happens
            response.headers["X-Request-Id"] = request_id
            self.metrics.requests.labels(path, response.status_code).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - began)
            return response

        return endpoint

    def _admit(self, request: Request, tokens: AccessTokens) -> None:
        if not tokens.admit(request.headers.get("authorization")):
            raise RequestError(401, "needs the header `Authorization: Bearer TOKEN` with a token of serve.token_file")

    async def _content(self, request: Request) -> bytes:
        """Return the body.

        Raises:
            RequestError: it is of another content type, 415; too large, 413; too slow, 408.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise RequestError(415, "needs the header `Content-Type: application/json`")
        most = self.service.settings.max_body_bytes
        content = bytearray()
        try:
            async with asyncio.timeout(self.service.settings.sender_seconds):
                async for part in request.stream():
                    content += part
                    if len(content) > most:
                        raise RequestError(413, f"the body has more than {most} bytes, see serve.max_body_bytes")
        except TimeoutError:
            raise RequestError(408, "the body did not arrive in time, see serve.sender_seconds") from None
        return bytes(content)


async def _no_route(request: Request, error: Exception) -> Response:
    """Answer a request whose path is unknown, or has other methods, which the header Allow names."""
    assert isinstance(error, HTTPException)
    wrong = "there is no such path" if error.status_code == 404 else f"the path does not take {request.method}"
    request_id = uuid4().hex
    response = _error_response(RequestError(error.status_code, f"{wrong}; /docs lists all requests"), request_id)
    response.headers.update({**(error.headers or {}), "X-Request-Id": request_id})
    return response


def _error_response(error: RequestError, request_id: str) -> Response:
    about: dict[str, Any] = {"status": error.status, "reason": error.reason}
    if error.where is not None:
        about["where"] = error.where
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not read
    content = json.dumps({"request_id": request_id, "error": about}, ensure_ascii=True)
    return Response(content, error.status, headers, "application/json")


def _page_file(name: str, kind: str) -> Callable[[Request], Response]:
    content = resource_files("interestrec.serving").joinpath("page", name).read_bytes()

    def endpoint(request: Request) -> Response:
        return Response(content, headers=_PAGE_HEADERS, media_type=f"{kind}; charset=utf-8")

    return endpoint


def _text(request: Request) -> str:
    text = request.query_params.get("text", "").strip()
    if not 0 < len(text) <= 200:
        raise RequestError(422, "needs `text` of 1 to 200 characters", "text")
    return text
