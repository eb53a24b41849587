"""The wakeup queue: SQS, with a delay for each message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import ceil
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import Unavailable
from chalicelib.services.wakeups import Wakeup, encode

MAX_DELAY = timedelta(minutes=15)  # AWS quota; later ones are sent on when they arrive


class WakeupQueue:
    """Implements services.ports.Queue. `client` is a botocore SQS client."""

    def __init__(self, client: Any, queue_name: str) -> None:
        self._client = client
        self._name = queue_name
        self._url = ""

    def send(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send wakeups, each to arrive after its delay (at most 15 min, never early): one call.

        Raises Unavailable.
        """
        entries = [
            {
                "Id": str(n),
                "MessageBody": encode(wakeup),
                "DelaySeconds": ceil(min(max(delay, timedelta(0)), MAX_DELAY).total_seconds()),
            }
            for n, (wakeup, delay) in enumerate(wakeups)
        ]
        if not entries:
            return
        try:
            self._url = self._url or self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("Waybill can't take this now; try again.") from error
        if answer.get("Failed"):
            raise Unavailable("Waybill can't take this now; try again.")
