"""Webhooks: endpoints outside, and what is sent to them."""

from __future__ import annotations

from functools import partial

import msgspec

from chalicelib.contracts.webhooks.body import render_body
from chalicelib.domain.measures import WEBHOOK_LAG
from chalicelib.edge.aws.metrics import emit_failing
from chalicelib.services.webhooks.attempts import AttemptHistory
from chalicelib.services.webhooks.endpoint_health import EndpointHealth
from chalicelib.services.webhooks.endpoints import WebhookEndpoints
from chalicelib.services.webhooks.redelivery import Redelivery
from chalicelib.services.webhooks.reminders import WebhookReminders
from chalicelib.services.webhooks.replaying import Replays
from chalicelib.services.webhooks.sending import WebhookSender
from chalicelib.settings import Settings
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts, make_lag_report


class WebhookServices(msgspec.Struct, frozen=True):
    """What the edge and the wakeups need of webhooks."""

    endpoints: WebhookEndpoints
    attempts: AttemptHistory
    redelivery: Redelivery
    replays: Replays


def build_webhooks(parts: Parts, messaging: MessagingServices) -> WebhookServices:
    """Build what owners of endpoints use."""
    endpoints = WebhookEndpoints(
        parts.endpoints,
        parts.known_endpoints,
        parts.webhook_client,
        parts.request_keys,
        parts.ids,
        parts.clock,
        parts.retries,
    )
    replays = Replays(parts.endpoints, parts.mailboxes, parts.webhook_queue, parts.queue)
    redelivery = Redelivery(
        endpoints,
        parts.endpoints,
        parts.mailboxes,
        messaging.history,
        messaging.outboxes,
        parts.webhook_queue,
        replays,
        parts.clock,
    )
    attempts = AttemptHistory(endpoints, parts.deliveries)
    return WebhookServices(endpoints, attempts, redelivery, replays)


def build_webhook_sender(
    settings: Settings, parts: Parts, messaging: MessagingServices
) -> WebhookSender:
    """Build the service that sends events to endpoints."""
    report_failing = partial(emit_failing, settings.webhook_queue_name)
    return WebhookSender(
        parts.endpoints,
        parts.deliveries,
        parts.mailboxes,
        parts.webhook_queue,
        parts.webhook_client,
        render_body,
        EndpointHealth(parts.endpoints, messaging.outboxes, report_failing, parts.clock),
        parts.clock,
        sleep=parts.sleep,
        report_arrival=make_lag_report(parts, WEBHOOK_LAG),
    )


def build_reminders(parts: Parts) -> WebhookReminders:
    """Build the service that has webhooks sent which the sweep lists."""
    return WebhookReminders(parts.deliveries, parts.webhook_queue)
