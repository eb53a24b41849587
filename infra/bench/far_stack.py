"""`python -m infra.bench.far_stack`: a local Waybill whose calls to AWS take their time.

As `python -m infra.local`, options and all; writes each call to the file that FAR_CALLS names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chalicelib import wiring
from chalicelib.edge.app_services import Services
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.settings import Settings
from chalicelib.store.database import bind_tables
from infra.bench.delays import CallLog, SlowDatabase, SlowGateway, SlowQueue
from infra.local.__main__ import main
from infra.local.due_times import DueTimes, NotingQueue, NotingWebhookQueue


def build_far(settings: Settings, due_times: DueTimes, webhooks_due: DueTimes) -> Services:
    """Make the application over clients that are delayed."""
    log = CallLog(Path(os.environ["FAR_CALLS"]))
    database = bind_tables(settings.table_prefix, settings.aws_region, settings.aws_endpoint)
    SlowDatabase(database.client, log)
    session = database.session
    queue = NotingQueue(wiring.build_wakeup_queue(session, settings), due_times)
    gateway = ConnectionsApi(settings.connections_endpoint, session, settings.aws_region)
    return wiring.build(
        settings,
        database=database,
        queue=SlowQueue(queue, log),
        webhook_queue=NotingWebhookQueue(
            wiring.build_webhook_queue(session, settings), webhooks_due
        ),
        gateway=SlowGateway(gateway, log),
    )


if __name__ == "__main__":
    sys.exit(main(build_far))
