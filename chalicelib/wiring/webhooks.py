"""Webhooks: endpoints outside, and what is sent to them."""

from __future__ import annotations

from functools import partial

from chalicelib.contracts.webhooks.body import render_body
from chalicelib.edge.aws.metrics import emit_failing
from chalicelib.services.webhooks.endpoint_health import EndpointHealth
from chalicelib.services.webhooks.reminders import WebhookReminders
from chalicelib.services.webhooks.sending import WebhookSender
from chalicelib.settings import Settings
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


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
    )


def build_reminders(parts: Parts) -> WebhookReminders:
    """Build the service that has webhooks sent which the sweep lists."""
    return WebhookReminders(parts.deliveries, parts.webhook_queue)
