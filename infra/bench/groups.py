"""Who listens in the bench of cut links: the devices of one person, for each contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from infra.bench.devices import Device, DeviceOwner
from infra.bench.happenings import (
    DRIVER,
    HAILER,
    OWNER,
    RIDER,
    CallTimes,
    mint_person_token,
)
from infra.bench.heard import make_row, sum_up
from infra.bench.report import Row
from infra.bench.waits import Waits, average_waits, explain_wait
from infra.harness.stack_process import StackProcess

DEVICES = 2  # of each kind
PEOPLE = {"customer": HAILER, "drivers": DRIVER, "rides": RIDER, "food": OWNER, "feed": HAILER}
"""Whose devices speak which contract."""

# What the person is told of what happens later, too. Offers that were answered are not.
_TOLD = {
    "customer": ("order.status",),
    "drivers": ("order_timeout",),
    "rides": ("ride_status_update",),
    "food": ("new-order", "order-updated"),
    "feed": ("order_created", "delivery_accepted"),
}
_SLOWEST = 100  # one of so many


class Group:
    """The devices of a person on one contract."""

    def __init__(self, stack: StackProcess, contract: str) -> None:
        role, id_ = PEOPLE[contract]
        self.contract = contract
        url = stack.options.url.replace("http", "ws", 1)
        token = mint_person_token(stack.secret, role, id_)
        random = Random(list(PEOPLE).index(contract))

        def make(position: str | None) -> Device:
            return Device(url, DeviceOwner(id_, token, contract), position, Random(random.random()))

        self._told: list[str] = []
        self._seen = 0
        self.whole = make("now")
        self.placed = [make("now") for _ in range(DEVICES)]
        self.stock = [make(None) for _ in range(DEVICES)]

    @property
    def all(self) -> list[Device]:
        """All devices."""
        return [self.whole, *self.cut]

    @property
    def cut(self) -> list[Device]:
        """The devices whose links are cut."""
        return [*self.placed, *self.stock]

    def list_told(self) -> list[str]:
        """List the frames that each device is to have heard, in order."""
        new = self.whole.receipts[self._seen :]
        self._seen += len(new)
        self._told += [r.text for r in new if r.name in _TOLD[self.contract]]
        return self._told

    def is_all_heard(self) -> bool:
        """Tell whether the devices with positions have heard all."""
        told = set(self.list_told())
        return all(told <= {r.text for r in device.receipts} for device in self.placed)

    # What is reported

    def make_rows(self, times: CallTimes) -> list[Row]:
        """Make the rows: of the devices with positions, and of those without."""
        told, causes = self.list_told(), self._find_causes(times)
        rows = []
        for what, devices in (("from", self.placed), ("stock", self.stock)):
            heard = sum_up(told, [_name_heard(device, causes) for device in devices])
            links = sum(device.links for device in devices)
            rows.append(make_row(f"{self.contract}, {what}", heard, links))
        return rows

    def describe_slowest(self, times: CallTimes) -> str:
        """Say what devices with positions waited for, before what they heard last of all."""
        causes = self._find_causes(times)
        found = [
            (receipt.at - causes[receipt.text], device, receipt)
            for device in self.placed
            for receipt in {r.text: r for r in reversed(device.receipts)}.values()  # the first
            if receipt.text in causes
        ]
        found.sort(key=lambda one: one[0], reverse=True)
        slowest = found[: -(-len(found) // _SLOWEST)]
        waits = [
            explain_wait(device.spans, causes[receipt.text], receipt.at)
            for _, device, receipt in slowest
        ]
        return f"{self.contract}, from: {_word_waits(average_waits(waits))}"

    def describe_missing(self) -> list[str]:
        """Say of each device with a position that has not heard all whether it is late, or has been
        passed over: what it lacks, and whether its last link was told `resumed`."""
        told, found = self.list_told(), []
        for device in self.placed:
            heard = {receipt.text for receipt in device.receipts}
            places = [n for n, text in enumerate(told, 1) if text not in heard]
            if places:
                is_resumed = device.spans[-1].resumed_at < math.inf
                found.append(
                    f"{self.contract}, from: a device lacks events {places[:10]} of {len(told)}; "
                    f"its last link was {'' if is_resumed else 'not '}told `resumed`."
                )
        return found

    def _find_causes(self, times: CallTimes) -> Mapping[str, float]:
        found = {r.text: times.find_cause(r.text, r.at) for r in self.whole.receipts}
        return {text: at for text, at in found.items() if at is not None}


def _name_heard(device: Device, causes: Mapping[str, float]) -> list[tuple[str, float]]:
    """List what a device heard with the milliseconds that each took."""
    return [(r.text, 1000 * (r.at - causes[r.text])) for r in device.receipts if r.text in causes]


def _word_waits(waits: Waits) -> str:
    away, opening, resuming, listening = (f"{1000 * seconds:,.0f}" for seconds in waits[:4])
    return (
        f"the slowest 1 % waited for {away} ms without a link, {opening} ms for one to open, "
        f"{resuming} ms for its position's answer, {listening} ms then; {waits.links:.1f} links."
    )
