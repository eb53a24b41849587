"""A REST API's Lambda authorizer: Chalice's local one, asked and understood as API Gateway does."""

from __future__ import annotations

import json
from typing import Any

from chalice.local import LocalGatewayAuthorizer, LocalGatewayException, NotAuthorizedError

from infra.gateway.events import Event


class AuthorizerError(Exception):
    """Raised when the app's authorizer fails or returns what API Gateway can't use: a 500."""


class Authorizer(LocalGatewayAuthorizer):
    """Asks the authorizer of a route, if it has one."""

    def authorize(
        self, raw_path: str, lambda_event: Event, lambda_context: Any
    ) -> tuple[Event, Any]:
        """Return the event with the authorizer's context in it.

        Raises LocalGatewayException (401, 403, 500), AuthorizerError for a failure.
        """
        try:
            return super().authorize(raw_path, lambda_event, lambda_context)
        except (LocalGatewayException, AuthorizerError):
            raise
        except Exception as error:
            raise AuthorizerError from error

    def _prepare_authorizer_event(self, arn: str, lambda_event: Event, lambda_context: Any) -> Any:
        """Build the event of a TOKEN authorizer. No identity, or an empty one: it is not asked."""
        token = _last_value(lambda_event["headers"], self._identity_source(lambda_event))
        if not token:
            raise NotAuthorizedError({}, b"")
        return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}

    def _identity_source(self, lambda_event: Event) -> str:
        entry = self._route_for_event(lambda_event)
        config = getattr(entry.authorizer, "config", None) if entry else None
        return str(config.header) if config else "Authorization"

    def _update_lambda_event(self, lambda_event: Event, auth_result: dict[str, Any]) -> Event:
        given = auth_result.get("context") or {}
        lambda_event["requestContext"]["authorizer"] = {
            **{str(name): _to_context_text(name, value) for name, value in given.items()},
            "principalId": auth_result["principalId"],
            "integrationLatency": 0,
        }
        return lambda_event


def _to_context_text(name: str, value: Any) -> str | None:
    """Return a context value as API Gateway hands it on: a text, or null. Raises AuthorizerError
    for lists and objects, which it takes for a wrong configuration."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise AuthorizerError(f"context value {name!r} is a {type(value).__name__}")


def _last_value(headers: dict[str, str], name: str) -> str:
    found = [value for key, value in headers.items() if key.lower() == name.lower()]
    return found[-1].strip() if found else ""
