"""Client of the kira-users REST API.

The types and calls are those of the generated package `kira_users_client`; what is written by hand is what a generator does not know:
tokens, idempotency keys, retries, errors with codes, events as an iteration, signatures of webhooks.

    client = connect("https://users.example.com", client_id, password, api_key)
    user = unwrap(create_user.sync_detailed(client=client, body=body, idempotency_key=str(uuid4())))
"""

import json
import random
import time
from uuid import uuid4

import httpx
from kira_users_client import Client
from kira_users_client.api.events import list_events
from kira_users_client.types import UNSET

from .webhooks import WebhookError, verify_webhook

__all__ = ["KiraError", "WebhookError", "connect", "events", "unwrap", "verify_webhook"]

RETRIED = {429, 503, 504}
MAX_DELAY = 60.0
STREAMS = ("application/x-ndjson", "text/event-stream")


class KiraError(Exception):
    """An error of the service. Decide by `code`; a 400 has `problems`, each with path, message and code. The operators of the
    service find the request by `request_id`."""

    def __init__(self, status, code, message, problems=(), request_id=None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.problems, self.request_id = list(problems), request_id


class Transport(httpx.BaseTransport):
    """Adds the credentials, repeats what can be repeated, and gives every POST, PUT and PATCH an idempotency key."""

    def __init__(
        self, base_url, client_id, password, api_key, *, timeout=40.0, retries=4, inner=None, sleep=time.sleep, now=time.monotonic
    ):
        self._base_url = base_url.rstrip("/")
        self._credentials = {"client_id": str(client_id), "password": password}
        self._api_key = api_key
        self._timeout, self._retries, self._sleep, self._now = timeout, retries, sleep, now
        self._inner = inner or httpx.HTTPTransport()
        self._token, self._until = None, 0.0

    def handle_request(self, request):
        request.read()
        request.headers["x-api-key"] = self._api_key
        if request.method in ("POST", "PUT", "PATCH"):
            request.headers.setdefault("idempotency-key", str(uuid4()))
        response = self._repeat(lambda: self._send(request))
        if response.status_code == 401:
            # The service may have replaced its keys since.
            response.close()
            self._token = None
            response = self._repeat(lambda: self._send(request))
        return response

    def close(self):
        self._inner.close()

    def _send(self, request):
        request.headers["authorization"] = f"Bearer {self._current_token()}"
        return self._whole(request)

    def _whole(self, request):
        """One try. Its answer is read to the end, so that one that breaks off counts as lost; a stream is not."""
        response = self._inner.handle_request(request)
        kind = response.headers.get("content-type", "")
        if not kind.startswith(STREAMS):
            content = response.read()
            # A page of something between the client and the service, such as a login.
            if response.is_success and content and not kind.startswith("application/json"):
                raise _error(response.status_code, content, response.headers)
        return response

    def _repeat(self, send):
        for tries in range(self._retries + 1):
            after = None
            try:
                response = send()
                if response.status_code not in RETRIED or tries == self._retries:
                    return response
                after = response.headers.get("retry-after")
                response.close()
            except httpx.TransportError:
                if tries == self._retries:
                    raise
            self._sleep(_delay(after, tries))
        raise AssertionError("the last try returns or raises")

    def _current_token(self):
        if self._token is None or self._now() >= self._until:
            body = json.dumps(self._credentials).encode()
            headers = {"content-type": "application/json", "x-api-key": self._api_key}

            extensions = {"timeout": httpx.Timeout(self._timeout).as_dict()}

            def send():
                url = f"{self._base_url}/auth"
                return self._whole(httpx.Request("POST", url, headers=headers, content=body, extensions=extensions))

            response = self._repeat(send)
            content = response.read()
            if response.status_code != 200:
                raise _error(response.status_code, content, response.headers)
            data = json.loads(content)["data"]
            self._token, self._until = data["access_token"], self._now() + max(data["expires_in"] - 60, 1)
        return self._token


def _delay(after, tries):
    """As long as the service says, else about twice as long at each repetition."""
    if after is not None and after.isascii() and after.isdigit():
        return min(float(after), MAX_DELAY)
    return min(0.25 * 2**tries * random.uniform(0.5, 1), MAX_DELAY)


def connect(base_url, client_id, password, api_key, *, timeout=40.0, **options):
    """A client for the calls of `kira_users_client.api`. It gets a token when it needs one. `timeout`: seconds until the service
    accepts a connection, and between two parts of an answer; a try that takes longer is repeated."""
    transport = Transport(base_url, client_id, password, api_key, timeout=timeout, **options)
    return Client(base_url=base_url, timeout=httpx.Timeout(timeout), httpx_args={"transport": transport})


def unwrap(response):
    """What a call `sync_detailed` has answered, or its error raised as a KiraError."""
    if 200 <= response.status_code < 300 and response.parsed is not None:
        return response.parsed
    raise _error(int(response.status_code), response.content, response.headers)


def events(client, *, cursor=UNSET, limit=100, **filters):
    """The events behind a cursor, page by page, until there are no more. Keep the id of the last one: it is the next cursor."""
    while True:
        page = unwrap(list_events.sync_detailed(client=client, cursor=cursor, limit=limit, **filters))
        yield from page.data
        if not page.has_more:
            return
        cursor = page.next_cursor


def _error(status, content, headers):
    request_id = headers.get("x-request-id")
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("details"), list):
        problems = body["details"]
        text = "; ".join(": ".join(filter(None, (problem["path"], problem["message"]))) for problem in problems)
        return KiraError(status, "invalid_request", text, problems, request_id)
    if isinstance(body, dict) and isinstance(body.get("code"), str):
        return KiraError(status, body["code"], body.get("message", ""), request_id=request_id)
    # Something between the client and the service has answered.
    return KiraError(status, "unknown", f"The answer {status} is not one of the service", request_id=request_id)
