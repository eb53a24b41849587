"""Webhook endpoints and their owners: made, changed, rotated and deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from chalicelib.domain.ids import IdSource
from chalicelib.domain.outbox import seal
from chalicelib.domain.people import Actor
from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.retries import Retries
from chalicelib.domain.webhooks.endpoint import (
    Endpoint,
    EndpointSecret,
    make_secret,
    rotate_secret,
)
from chalicelib.domain.webhooks.forms import (
    EndpointChange,
    EndpointForm,
    apply_change,
    check_merchants,
    find_merchants,
    may_manage,
)
from chalicelib.domain.webhooks.registry import (
    EndpointRegistry,
    register_endpoint,
    unregister_endpoint,
)
from chalicelib.errors import NotFound, Stale
from chalicelib.services.ports import Clock, EndpointStore, UrlChecker
from chalicelib.services.request_keys import RequestKeys
from chalicelib.services.webhooks.known_endpoints import KnownEndpoints

T = TypeVar("T")

ReadChange = Callable[[Endpoint], EndpointChange]
"""Reads how an endpoint, as it is stored, is to be changed. Raises InvalidInput."""


class WebhookEndpoints:
    """Keeps the endpoints of each owner. Another's is not found."""

    def __init__(
        self,
        store: EndpointStore,
        known: KnownEndpoints,
        urls: UrlChecker,
        keys: RequestKeys,
        ids: IdSource,
        clock: Clock,
        retries: Retries,
    ) -> None:
        self._store = store
        self._known = known
        self._urls = urls
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._retries = retries

    def create_endpoint(
        self, actor: Actor, form: EndpointForm, key: RequestKey | None = None
    ) -> tuple[Endpoint, bool]:
        """Create an endpoint with a secret of its own; return it, and whether the same request had
        made it before. Raises InvalidInput, Forbidden, TooManyEndpoints, KeyReused."""
        merchant_ids = find_merchants(actor, form.merchant_id)
        if id_ := self._keys.find_target(key):
            return self.get_endpoint(actor, id_), True
        self._urls.check_url(form.url)
        draft = Endpoint(
            id="",
            owner_id=actor.id,
            url=form.url,
            events=form.events,
            merchant_ids=merchant_ids,
            secrets=(EndpointSecret(make_secret()),),
            created_at=self._clock(),
            description=form.description,
            merchant_id=form.merchant_id,
        )
        return self._retries.retry_while_stale(lambda: self._insert_once(draft, key))

    def _insert_once(self, draft: Endpoint, key: RequestKey | None) -> tuple[Endpoint, bool]:
        if id_ := self._keys.find_target(key):
            found = self._store.get_endpoint(id_)
            return found, found.secret != draft.secret
        now = self._clock()
        endpoint = seal(replace(draft, id=str(self._ids())), (), now)
        try:
            self._save(endpoint, register_endpoint(self._store.get_registry(), endpoint), now, key)
        except Stale:
            # It may be done all the same: written, not answered, and the registry written by
            # another before the SDK sent it again. Nobody else's has this secret.
            if self._is_stored(endpoint):
                return endpoint, False
            raise
        return endpoint, False

    def list_endpoints(self, actor: Actor) -> list[Endpoint]:
        """List an owner's endpoints, the oldest first."""
        return [one for one in self._store.list_endpoints(actor.id) if may_manage(actor, one)]

    def get_endpoint(self, actor: Actor, endpoint_id: str) -> Endpoint:
        """Return an endpoint of an owner. Raises NotFound."""
        endpoint = self._store.get_endpoint(endpoint_id)
        if not may_manage(actor, endpoint):
            raise NotFound("There is no such webhook endpoint.")
        return endpoint

    def change_endpoint(self, actor: Actor, endpoint_id: str, read: ReadChange) -> Endpoint:
        """Change an endpoint. Raises NotFound, InvalidInput, Forbidden."""
        checked_urls: set[str] = set()

        def change(before: Endpoint, _: datetime) -> Endpoint:
            after = apply_change(before, read(before), actor)
            if after.url != before.url and after.url not in checked_urls:
                self._urls.check_url(after.url)
                checked_urls.add(after.url)  # a second try need not ask again
            return after

        return self._change(actor, endpoint_id, change)

    def rotate_secret(self, actor: Actor, endpoint_id: str) -> Endpoint:
        """Give an endpoint a new secret; the one before signs for a day more. Raises NotFound,
        Forbidden, Conflict."""
        secret = make_secret()

        def rotate(before: Endpoint, now: datetime) -> Endpoint:
            check_merchants(before, actor)
            # It is there already where the answer to the write got lost.
            return before if before.secret == secret else rotate_secret(before, secret, now)

        return self._change(actor, endpoint_id, rotate)

    def delete_endpoint(self, actor: Actor, endpoint_id: str) -> None:
        """Delete an endpoint: it is sent nothing more, not even what waits. Raises NotFound."""
        self.get_endpoint(actor, endpoint_id)

        def delete_once() -> None:
            try:
                endpoint = self.get_endpoint(actor, endpoint_id)
            except NotFound:
                return  # by this request, whose answer got lost, or by another
            now = self._clock()
            registry = unregister_endpoint(self._store.get_registry(), endpoint_id)
            self._store.delete_endpoint(endpoint, registry)
            self._known.keep_written(registry, now)

        self._retries.retry_while_stale(delete_once)

    def _change(
        self, actor: Actor, endpoint_id: str, change: Callable[[Endpoint, datetime], Endpoint]
    ) -> Endpoint:
        """Write what `change` makes of an endpoint. No change is no write."""

        def change_once() -> Endpoint:
            before, now = self.get_endpoint(actor, endpoint_id), self._clock()
            after = change(before, now)
            if after == before:
                return before
            after = seal(after, (), now)
            self._save(after, self._find_new_registry(before, after), now)
            return after

        return self._retries.retry_while_stale(change_once)

    def _find_new_registry(self, before: Endpoint, after: Endpoint) -> EndpointRegistry | None:
        """Find the registry as it is to be written; None where it says the same."""
        if (before.events, before.merchant_ids) == (after.events, after.merchant_ids):
            return None
        registry = self._store.get_registry()
        changed = register_endpoint(registry, after)
        return None if changed is registry else changed

    def _save(
        self,
        endpoint: Endpoint,
        registry: EndpointRegistry | None,
        now: datetime,
        key: RequestKey | None = None,
    ) -> None:
        self._store.save_endpoint(endpoint, registry, key)
        if registry:
            self._known.keep_written(registry, now)

    def _is_stored(self, endpoint: Endpoint) -> bool:
        try:
            return self._store.get_endpoint(endpoint.id).secret == endpoint.secret
        except NotFound:
            return False
