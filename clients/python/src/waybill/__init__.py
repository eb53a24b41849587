"""A client of Waybill's sockets: it connects, stays connected and hands on every event once.

async with waybill.connect(url, token=fetch_token, contract="feed") as connection:
    async for event in connection:
        print(event.type, event.data)
"""

from waybill.connection import Connection, connect
from waybill.contracts import Contract
from waybill.events import Event, Gap
from waybill.frames import FEED_EVENTS
from waybill.rest import WaybillError

__all__ = ["FEED_EVENTS", "Connection", "Contract", "Event", "Gap", "WaybillError", "connect"]
