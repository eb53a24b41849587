"""botocore's requests over edge/aws/wire.py: a call takes half the CPU that it takes over urllib3.

The SDK still builds, signs, retries and reads everything; only the exchange itself is ours.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, SSLError
from botocore.httpsession import get_cert_path

from chalicelib.edge.aws.wire import NoAnswer, Unreachable, Wire, encoded


def lighten(client: Any) -> None:
    """Have a botocore client exchange its requests over wires, in its own time limits. One that
    goes through a proxy, or verifies nobody, stays as it is."""
    try:
        given = client._endpoint.http_session
        proxies, verify = given._proxy_config._proxies, given._verify
    except AttributeError:
        return  # light already, or of a botocore that is made otherwise
    if proxies or not verify:
        return
    authorities, limits = get_cert_path(verify), client.meta.config
    light = Transport(limits.connect_timeout, limits.read_timeout, authorities)
    client._endpoint.http_session = light


class Transport:
    """What botocore.httpsession.URLLib3Session is to an endpoint. Safe under threads.

    TLS is verified against the authorities of that file.
    """

    def __init__(self, connect_timeout_s: float, read_timeout_s: float, authorities: str) -> None:
        self._authorities = authorities
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._wires: dict[str, Wire] = {}

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Exchange one request. Raises EndpointConnectionError, SSLError, ConnectionClosedError."""
        url = request.url
        parts = urlsplit(url)
        wire = self._wire(f"{parts.scheme}://{parts.netloc}")
        headers = [(name, _text(value)) for name, value in request.headers.items()]
        for name, value in (("host", wire.host), ("accept-encoding", "identity")):
            if name not in request.headers:
                headers.append((name, value))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        try:
            answer = wire.ask(encoded(request.method, path, headers, body))
        except Unreachable as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        except NoAnswer as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise SSLError(endpoint_url=url, error=error) from error
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        return AWSResponse(url, answer.status, _headers(answer.head), _Body(answer.body or b""))

    def close(self) -> None:
        """End the connections."""
        self._wires.clear()

    def _wire(self, origin: str) -> Wire:
        found = self._wires.get(origin)
        if found is None:
            is_tls = origin.startswith("https:")
            made = Wire(
                origin,
                tls=_trusting(self._authorities) if is_tls else None,
                read_timeout_s=self._read_timeout_s,
                connect_timeout_s=self._connect_timeout_s,
                whole=True,
            )
            found = self._wires.setdefault(origin, made)
        return found


@lru_cache(2)  # 20 ms, the same for all clients
def _trusting(authorities: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:-1]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
