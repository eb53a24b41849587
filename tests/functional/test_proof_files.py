"""Photos and signatures at an order's stops: uploaded by a signed form, confirmed by the step."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.config import Config
from botocore.session import get_session

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.proof import MAX_FILE_BYTES, FoundFile, UploadForm
from chalicelib.edge.aws.proof_bucket import S3ProofBucket
from chalicelib.errors import Stale, Unavailable
from chalicelib.store.orders import OrderTable
from infra.erase.eraser import Eraser
from infra.erase.files import FileEraser
from infra.resources.aws_clients import REGION
from infra.resources.proof_bucket import create_bucket
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.kitchen import Kitchen, Packets, a_driver
from tests.functional.test_races import at_once, failures
from tests.functional.world import Answer, Someone, World

BUCKET = "waybill-proof"
JPEG = b"\xff\xd8\xff\xe0" + b"a photo" * 9


class Photos:
    """A world with a bucket: a customer, and a courier with an order that wants a photo."""

    def __init__(self, engine: Engine, make_world: MakeWorld, **parts: Any) -> None:
        self.s3 = make_s3(engine.endpoint)
        create_bucket(self.s3, BUCKET, REGION, ["*"])
        self.world: World = make_world(settings={"proof_bucket": BUCKET}, **parts)
        self.cara, self.dan = self.world.customer(), self.world.courier()

    def at_the_door(self, proof: Any = "photo", by: Someone | None = None) -> str:
        """An order that is in transit, and asks for this proof at the door."""
        id_ = str(self.world.place(self.cara, proof={"dropoff": proof})["id"])
        for verb in ("accept", "arrived", "picked"):
            assert self.world.step(verb, id_, by or self.dan).status == 200
        return id_

    def ask_form(self, id_: str, by: Someone | None = None, **changes: Any) -> Answer:
        """Ask for an upload form."""
        body = {"stop": "dropoff", "kind": "photo", "content_type": "image/jpeg", **changes}
        return self.world.post(f"/v1/orders/{id_}/proof", body, by or self.dan)

    def upload(self, id_: str, content: bytes = JPEG, **changes: Any) -> dict[str, Any]:
        """Upload a file by a form; the form."""
        form = self.ask_form(id_, **changes)
        assert form.status == 200, form
        assert post(form.body, content) in (200, 201, 204)
        return dict(form.body)

    def deliver(self, id_: str, **more: Any) -> Answer:
        """Take the last step."""
        body = {"order_id": id_, **more}
        return self.world.post("/v1/courier/orders/delivered", body, self.dan)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all files that there are."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in found]


def post(form: dict[str, Any], content: bytes, **changes: str) -> int:
    """Post a file by a form, as a browser does; the status.

    moto is asked as if S3 had taken the form: it would look at no policy.
    """
    fields = {**form["fields"], **changes}
    if not is_local(form["url"]):
        put(make_s3(None), fields["key"], content, fields["Content-Type"])
        return 204
    return urllib3.request("POST", form["url"], fields={**fields, "file": ("f", content)}).status


@lru_cache(maxsize=4)
def make_s3(endpoint: str | None) -> Any:
    """A client of S3 without checksums after bodies: moto as it is here would not read those."""
    config = Config(request_checksum_calculation="when_required")
    return get_session().create_client("s3", REGION, endpoint_url=endpoint, config=config)


def put(s3: Any, key: str, content: bytes, type_: str = "image/jpeg") -> None:
    """Put a file into the bucket, past all forms."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=content, ContentType=type_)


def read(url: str) -> bytes:
    """Read what a URL leads to."""
    if is_local(url):
        answer = urllib3.request("GET", url)
        assert answer.status == 200, answer.data
        return answer.data
    body = make_s3(None).get_object(Bucket=BUCKET, Key=urlsplit(url).path[1:])["Body"]
    return bytes(body.read())


def is_local(url: str) -> bool:
    """Whether a URL leads to an engine that listens."""
    return urlsplit(url).hostname == "127.0.0.1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own. moto, once it has run in this process, may have left others behind."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture
def photos(dynamo: Engine, make_world: MakeWorld) -> Photos:
    return Photos(dynamo, make_world)


@pytest.fixture
def engine_photos(engine: Engine, make_engine_world: MakeWorld) -> Photos:
    return Photos(engine, make_engine_world)


def test_a_photo_is_uploaded_confirmed_and_read_by_those_who_take_part(
    engine_photos: Photos,
) -> None:
    photos, world = engine_photos, engine_photos.world
    id_ = photos.at_the_door(["photo", "signature"])
    refused = photos.deliver(id_)
    assert (refused.status, refused.body["error"]) == (409, "proof_required")
    assert refused.body["details"] == {"stop": "dropoff", "missing": ["photo", "signature"]}
    form = photos.upload(id_)
    assert form["fields"]["key"].startswith(f"uploads/{id_}/")
    assert photos.deliver(id_).body["details"]["missing"] == ["signature"]
    photos.upload(id_, b"a signature", kind="signature", content_type="image/png")
    done = photos.deliver(id_)
    assert (done.status, done.body["status"]) == (200, "delivered")
    assert photos.deliver(id_).status == 200
    kept = world.order(id_).proof.dropoff.files
    assert [(one.kind.value, one.size_bytes) for one in kept] == [
        ("photo", len(JPEG)),
        ("signature", 11),
    ]
    assert sorted(photos.keys("kept/")) == sorted(one.key for one in kept)
    for who in (photos.cara, photos.dan, world.admin()):
        shown = world.get(f"/v1/orders/{id_}/proof", who)
        files = shown.body["proof"]["dropoff"]["files"]
        assert [one["content_type"] for one in files] == ["image/jpeg", "image/png"]
        assert read(files[0]["url"]) == JPEG
        assert "xpires=600" in files[0]["url"]
    for stranger in (world.customer("eve"), world.courier("max"), world.customer("dan")):
        if stranger.id != "dan":
            assert world.get(f"/v1/orders/{id_}/proof", stranger).status == 404
    assert world.get(f"/v1/orders/{id_}", photos.cara).body["proof"] == {
        "dropoff": {"required": ["photo", "signature"], "missing": []}
    }


def test_the_form_takes_nothing_but_what_it_is_for(
    engine: Engine, make_engine_world: MakeWorld
) -> None:
    photos = Photos(engine, make_engine_world)
    id_ = photos.at_the_door()
    form = photos.ask_form(id_).body
    if engine.name == "moto":  # which looks at no policy: what is in the form must do here
        assert b"content-length-range" in _policy(form)
        return
    assert post(form, b"x" * (MAX_FILE_BYTES + 1)) == 400
    assert post(form, b"") == 400
    for changed in (
        {"Content-Type": "text/html"},
        {"key": f"uploads/{id_}/dropoff-signature-0"},
        {"key": "uploads/1/dropoff-photo-0"},
        {"key": f"kept/{id_}/dropoff-photo-0"},
        {"acl": "public-read"},
    ):
        assert post(form, JPEG, **changed) == 403, changed
    assert photos.keys() == []
    assert photos.deliver(id_).status == 409


def _policy(form: dict[str, Any]) -> bytes:
    return base64.b64decode(form["fields"]["policy"])


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (b"x" * (MAX_FILE_BYTES + 1), "image/png"),
        (b"", "image/png"),
        (b"<script>", "text/html"),
        (b"<svg/>", "image/svg+xml"),
    ],
)
def test_what_no_form_lets_pass_confirms_nothing(
    photos: Photos, content: bytes, type_: str
) -> None:
    id_ = photos.at_the_door()
    key = photos.ask_form(id_).body["fields"]["key"]
    put(photos.s3, key, content, type_)
    assert photos.deliver(id_).body["error"] == "proof_required"
    assert photos.keys("kept/") == []


def test_another_orders_or_couriers_or_stops_photo_confirms_nothing(photos: Photos) -> None:
    world = photos.world
    id_ = photos.at_the_door()
    key = photos.upload(id_)["fields"]["key"]
    photos.deliver(id_)
    other = photos.at_the_door()
    # A client can't say a key at all; a file that lies under that of another is not looked at.
    for said in ({"key": key}, {"proof": key}, {"photo": key}, {"proof_key": key}):
        assert photos.deliver(other, **said).body["error"] == "proof_required"
    for path in (
        f"uploads/{other}/pickup-photo-{key[-16:]}",
        f"uploads/{other}/dropoff-signature-{key[-16:]}",
        f"uploads/{other}/dropoff-photo-{'0' * 16}",
        f"kept/{other}/dropoff-photo-{key[-16:]}",
    ):
        put(photos.s3, path, JPEG)
    assert photos.deliver(other).body["error"] == "proof_required"
    assert world.order(other).status is Status.IN_TRANSIT


def test_a_confirmed_photo_is_not_replaced(photos: Photos) -> None:
    world = photos.world
    id_ = str(world.place(photos.cara, proof={"pickup": "photo", "dropoff": "pin"})["id"])
    for verb in ("accept", "arrived"):
        world.step(verb, id_, photos.dan)
    form = photos.upload(id_, stop="pickup")
    assert world.step("picked", id_, photos.dan).status == 200
    again = photos.ask_form(id_, stop="pickup")
    assert (again.status, again.body["error"]) == (409, "proof_confirmed")
    # The form is good for some minutes yet. What it posts now is nobody's proof of anything.
    assert post(form, b"something else") in (200, 201, 204)
    assert world.step("picked", id_, photos.dan).status == 200
    [shown] = world.get(f"/v1/orders/{id_}/proof", photos.cara).body["proof"]["pickup"]["files"]
    assert read(shown["url"]) == JPEG


def test_a_photo_that_changes_under_the_step_is_judged_again(
    dynamo: Engine, make_world: MakeWorld
) -> None:
    photos = Photos(dynamo, make_world)
    id_ = photos.at_the_door()
    form = photos.upload(id_)
    changed = b"another photo, posted meanwhile"

    class Slow(S3ProofBucket):
        def find_file(self, key: str) -> FoundFile | None:
            found = super().find_file(key)
            if not posted:
                posted.append(post(form, changed))
            return found

    posted: list[int] = []
    bucket = Slow(dynamo.connection.session, BUCKET, REGION, dynamo.endpoint)
    photos.world = make_world(settings={"proof_bucket": BUCKET}, proof_bucket=bucket)
    assert photos.deliver(id_).status == 200
    [file] = photos.world.order(id_).proof.dropoff.files
    assert photos.s3.get_object(Bucket=BUCKET, Key=file.key)["Body"].read() == changed


@pytest.mark.parametrize("point", ["find_file", "keep_file", "commit_order"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_between_the_look_and_the_commit_loses_nothing(
    dynamo: Engine, make_world: MakeWorld, point: str, when: str
) -> None:
    bucket = CrashingProxy(S3ProofBucket(dynamo.connection.session, BUCKET, REGION, None))
    orders = CrashingProxy(OrderTable(dynamo.connection))
    photos = Photos(dynamo, make_world, orders=orders, proof_bucket=bucket)
    id_ = photos.at_the_door()
    photos.upload(id_)
    (orders if point == "commit_order" else bucket).crash_at(when, point)
    with pytest.raises(Crash):
        photos.deliver(id_)
    assert photos.deliver(id_).body["status"] == "delivered"
    [file] = photos.world.order(id_).proof.dropoff.files
    assert photos.keys("kept/") == [file.key]


def test_a_step_that_is_taken_many_times_at_once_keeps_one_photo(engine_photos: Photos) -> None:
    photos, world = engine_photos, engine_photos.world
    id_ = photos.at_the_door()
    photos.upload(id_)
    step = commands.Deliver()
    version = world.order(id_).version
    outcomes = at_once(
        [lambda: world.waybill.courier_orders.take_step(photos.dan.actor, int(id_), step)] * 8
    )
    assert not failures(outcomes)
    assert world.order(id_).version == version + 1
    assert len(photos.keys("kept/")) == 1


@pytest.mark.parametrize("call", ["find_file", "keep_file", "make_upload_form"])
def test_a_bucket_that_does_not_answer_is_a_503_and_writes_nothing(
    dynamo: Engine, make_world: MakeWorld, call: str
) -> None:
    bucket = Sulking(S3ProofBucket(dynamo.connection.session, BUCKET, REGION, None))
    photos = Photos(dynamo, make_world, proof_bucket=bucket)
    id_ = photos.at_the_door()
    photos.upload(id_)
    version = photos.world.order(id_).version
    bucket.sulks_at = call
    answer = photos.ask_form(id_) if call == "make_upload_form" else photos.deliver(id_)
    assert (answer.status, answer.body["error"]) == (503, "unavailable")
    assert photos.world.order(id_).version == version
    bucket.sulks_at = ""
    assert photos.deliver(id_).status == 200


class Sulking:
    """A bucket of which one call gets no answer."""

    def __init__(self, bucket: S3ProofBucket) -> None:
        self._bucket = bucket
        self.sulks_at = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == self.sulks_at:
            raise Unavailable("Files can't be looked at now; try again.")
        return getattr(self._bucket, name)  # type: ignore[no-any-return]


def test_a_bucket_that_is_not_there_is_unavailable(dynamo: Engine) -> None:
    bucket = S3ProofBucket(dynamo.connection.session, "waybill-no-such", REGION, None)
    with pytest.raises((Unavailable, Stale)):
        bucket.keep_file("uploads/1/x", "e", "kept/1/x")


def test_who_has_not_the_order_at_hand_gets_no_form(photos: Photos) -> None:
    world = photos.world
    id_ = photos.at_the_door()
    for who, status in (
        (photos.cara, 403),
        (world.admin(), 403),
        (world.courier("eve"), 404),
        (photos.dan, 200),
    ):
        assert photos.ask_form(id_, by=who).status == status
    photos.upload(id_)
    photos.deliver(id_)
    assert photos.ask_form(id_).status == 409
    for id_ in ("1", "x", "0", "-1", "9" * 40):
        assert photos.ask_form(id_).status == 404
        assert world.get(f"/v1/orders/{id_}/proof", photos.dan).status == 404
    offered = str(world.place(photos.cara, proof={"dropoff": "photo"})["id"])
    assert photos.ask_form(offered).status == 409


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"kind": "pin"}, 400),
        ({"kind": "video"}, 400),
        ({"kind": None}, 400),
        ({"kind": ["photo"]}, 400),
        ({"stop": "door"}, 400),
        ({"stop": 1}, 400),
        ({"content_type": "image/svg+xml"}, 400),
        ({"content_type": "image/jpeg; x=y"}, 400),
        ({"content_type": "text/html"}, 400),
        ({"content_type": 5}, 400),
        ({"content_type": None}, 400),
        ({"kind": "signature"}, 409),
        ({"stop": "pickup"}, 409),
    ],
)
def test_odd_wishes_get_no_form(photos: Photos, changed: dict[str, Any], status: int) -> None:
    id_ = photos.at_the_door()
    assert photos.ask_form(id_, **changed).status == status


def test_an_order_without_proof_asks_the_bucket_nothing(
    dynamo: Engine, make_world: MakeWorld
) -> None:
    bucket = CrashingProxy(S3ProofBucket(dynamo.connection.session, BUCKET, REGION, None))
    photos = Photos(dynamo, make_world, proof_bucket=bucket)
    id_ = str(photos.world.place(photos.cara)["id"])
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert photos.world.step(verb, id_, photos.dan).status == 200
    assert photos.world.get(f"/v1/orders/{id_}/proof", photos.cara).body == {"proof": {}}
    assert bucket.calls == []


def test_a_wrong_pin_and_an_override_beside_a_photo(photos: Photos) -> None:
    world = photos.world
    id_ = photos.at_the_door(["pin", "photo"])
    pin = world.get(f"/v1/orders/{id_}", photos.cara).body["proof"]["dropoff"]["pin"]
    assert photos.deliver(id_, pin=pin).body["details"]["missing"] == ["photo"]
    assert photos.deliver(id_).body["details"]["missing"] == ["pin", "photo"]
    word = {"stop": "dropoff", "kind": "photo", "reason": "other"}
    assert world.post(f"/v1/admin/orders/{id_}/proof/override", word, world.admin()).status == 200
    assert photos.ask_form(id_).body["error"] == "proof_confirmed"
    assert photos.deliver(id_, pin=pin).status == 200
    assert photos.keys() == []


def test_a_meal_is_delivered_with_a_photo_over_a_socket(photos: Photos) -> None:
    world = photos.world
    kitchen = Kitchen(world)
    order_id = kitchen.place(proof={"dropoff": "photo"})
    kitchen.update(order_id, "confirmed", "preparing", "ready_for_pickup")
    person = a_driver(world)
    driver = Packets(world, person)
    driver.emit("accept-order", {"orderId": order_id})
    said = {"orderId": order_id, "status": "delivered"}
    [(name, data)] = driver.emit("update-order-status", said)
    assert (name, data["message"]) == ("error", "Proof is required at the drop-off: photo.")
    form = photos.ask_form(str(order_id), by=person)
    post(form.body, JPEG)
    assert driver.emit("update-order-status", said)[-1][1]["order"]["status"] == "delivered"
    assert world.get(f"/v1/orders/{order_id}/proof", kitchen.owner).status == 200


def test_a_client_is_made_by_the_first_call_that_needs_it(dynamo: Engine) -> None:
    bucket = S3ProofBucket(dynamo.connection.session, BUCKET, REGION, None)
    assert bucket._made is None
    form = bucket.make_upload_form("uploads/1/x", "image/png", timedelta(minutes=5))
    assert isinstance(form, UploadForm)
    assert bucket._made is bucket._find_client()


@pytest.mark.parametrize("person", ["cara", "dan"])
def test_who_is_erased_takes_the_files_of_their_orders_along(photos: Photos, person: str) -> None:
    world = photos.world
    theirs, others = photos.at_the_door(), ""
    photos.upload(theirs)
    photos.deliver(theirs)
    eve, dan = world.customer("eve"), photos.dan
    photos.s3.put_object(Bucket=BUCKET, Key=f"uploads/{theirs}/pickup-photo-0", Body=JPEG)
    photos.cara = eve
    if person == "cara":
        others = photos.at_the_door(by=dan)
        photos.upload(others)
        photos.deliver(others)
    world.pass_time(20 * 60)
    files = FileEraser(photos.s3, BUCKET)

    def erase(dry: bool) -> dict[str, int]:
        tool = Eraser(person, None, world.clock, world.clock.advance, files=files, dry=dry)
        return {one.table: one.rows for one in tool.run()}

    assert erase(dry=True)["files"] == 3
    assert len(photos.keys(f"kept/{theirs}/")) == 1
    assert erase(dry=False)["files"] == 3
    left = photos.keys()
    assert not [key for key in left if f"/{theirs}/" in key]
    assert len(left) == (2 if others else 0)
    order = world.order(theirs)
    assert not order.proof.dropoff.files
    assert world.get(f"/v1/orders/{theirs}/proof", world.admin()).status == 200


@pytest.mark.parametrize("proof", ["photo", "pin", ["pin", "signature"]])
def test_what_is_left_at_the_door_wants_a_photo_whatever_is_asked_for(
    photos: Photos, proof: Any
) -> None:
    """Nobody is there to say a PIN, or to sign."""
    id_ = photos.at_the_door(proof)
    body = {"order_id": id_, "reason": "recipient_absent", "then": "leave"}
    path = "/v1/courier/orders/failed"
    refused = photos.world.post(path, body, photos.dan)
    assert (refused.status, refused.body["error"]) == (409, "proof_required")
    assert refused.body["details"] == {"stop": "dropoff", "missing": ["photo"]}
    photos.upload(id_)
    left = photos.world.post(path, body, photos.dan)
    assert (left.status, left.body["state"]) == (200, "left")
    assert photos.world.post(path, body, photos.dan).body == left.body


def test_what_comes_back_or_is_thrown_away_wants_no_proof(photos: Photos) -> None:
    for then, state in (("return", "returning"), ("discard", "discarded")):
        id_ = photos.at_the_door()
        body = {"order_id": id_, "reason": "refused", "then": then}
        answer = photos.world.post("/v1/courier/orders/failed", body, photos.dan)
        assert (answer.status, answer.body["state"]) == (200, state)
        photos.world.step("returned", id_, photos.dan)
