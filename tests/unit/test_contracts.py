"""What all contracts have in common."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib.contracts.base import Contract, MessageType, Writer, find_audience
from chalicelib.contracts.courier.socket import COURIER
from chalicelib.contracts.registry import ORDER_RENDERERS, render_order
from chalicelib.domain import events
from chalicelib.domain.messaging.mailboxes import name_restaurant_mailbox
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.drafts import draft_order_event
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from tests.builders import NOW, a_job, an_order
from tests.contracts import CONTRACTS

EVENT_TYPES = {
    value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)
}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_contract_ends_in_a_table_of_messages_and_a_table_of_writers(contract: Contract) -> None:
    assert contract.paths
    assert all(isinstance(each, MessageType) for each in contract.messages.values())
    assert all(each.roles & contract.roles for each in contract.messages.values())
    assert contract.writers.keys() <= EVENT_TYPES
    writers = [writer for each in contract.writers.values() for writer in each]
    assert writers
    assert all(isinstance(writer, Writer) for writer in writers)


def test_no_two_contracts_share_a_path() -> None:
    paths = [path for contract in CONTRACTS.values() for path in contract.paths]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("status", Status)
def test_rest_shows_an_order_of_each_flow_in_each_of_its_states(flow: str, status: Status) -> None:
    if status not in FLOWS[flow].transitions:
        return
    details = a_job(flow=flow, merchant_id="789" if flow in ORDER_RENDERERS else None)
    assert render_order(an_order(status, details=details))["status"]


def test_a_copy_says_for_whom_it_is() -> None:
    order = an_order()
    event = draft_order_event(order, events.ORDER_CANCELLED, "cara", NOW, audience=Role.COURIER)
    assert find_audience(event) is Role.COURIER  # cara drives as well as orders


@pytest.mark.parametrize(
    ("type_", "to", "audience"),
    [
        (events.OFFER_MADE, "cara", Role.COURIER),
        (events.ORDER_ACCEPTED, "cara", Role.CUSTOMER),
        (events.ORDER_CANCELLED, "dan", Role.COURIER),
        (events.ORDER_PLACED, name_restaurant_mailbox("789"), Role.MERCHANT),
    ],
)
def test_a_copy_of_before_is_judged_by_its_type_and_recipient(
    type_: str, to: str, audience: Role
) -> None:
    order = an_order()
    drafted = draft_order_event(order, type_, to, NOW, details=order.details)
    assert find_audience(replace(drafted, audience=None)) is audience


def test_what_is_everybodys_has_no_audience() -> None:
    assert find_audience(events.draft_event(events.ANNOUNCEMENT, "", "", NOW)) is None


def test_the_couriers_contract_knows_no_messages_of_customers() -> None:
    assert COURIER.messages.keys() == {"refresh", "location.update"}
    assert CONTRACTS["customer"].messages.keys() == {"refresh"}
    assert not COURIER.writers.keys() & CONTRACTS["customer"].writers.keys()


def test_each_side_of_a_conversation_hears_a_message_in_its_role() -> None:
    message = ChatMessage(7, 4711, "cara", Role.CUSTOMER, "Hello", NOW, ("cara", "dan"))
    (entry,) = message.outbox.entries
    assert [(event.to, event.audience) for event in entry.events] == [
        ("cara", Role.CUSTOMER),
        ("dan", Role.COURIER),
    ]
