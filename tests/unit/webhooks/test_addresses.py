"""No way in: what is refused as an endpoint's URL, when it is registered and when it is sent to."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from chalicelib.edge.webhooks.addresses import is_public
from chalicelib.edge.webhooks.client import WebhookClient
from chalicelib.edge.webhooks.urls import parse_url
from chalicelib.errors import InvalidInput

PUBLIC = "93.184.215.14"

# Refused for how they are written, whatever their host would resolve to.
ODD_URLS = [
    "",
    "shop.example",
    "//shop.example/hook",
    "http://shop.example/hook",
    "ftp://shop.example/hook",
    "file:///etc/passwd",
    "gopher://shop.example/",
    "javascript:alert(1)",
    "https:shop.example/hook",
    "https:///hook",
    "https://",
    "https://user:pass@shop.example/hook",
    "https://user@shop.example/hook",
    "https://@shop.example/hook",
    "https://shop.example:443@evil.example/hook",
    "https://shop.example#@evil.example/",
    "https://shop.example/hook#part",
    "https://shop.example/hook#",
    "https://shop.example:80/hook",
    "https://shop.example:8443/hook",
    "https://shop.example:0443/hook",
    "https://shop.example:/hook",
    "https://shop.example:99999/hook",
    "https://shop.example:-1/hook",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://127.0.0.0x1/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://shop。example/",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://münchen.example/",
    "https://shop.example\u200b/",
    "https://localhost/",
    "https://localhost./",
    "https://intranet/",
    "https://shop.example./hook",
    "https://shop..example/hook",
    "https://.shop.example/hook",
    "https://-shop.example/hook",
    "https://shop%2eexample/hook",
    "https://127.0.0.1%2f@shop.example/",
    "https://%31%32%37.0.0.1/",
    "https://shop.example\\@evil.example/",
    "https:\\\\shop.example\\hook",
    "https://shop.example\\.evil.example/",
    "https://shop.example /hook",
    " https://shop.example/hook",
    "https://shop.example/hook\n",
    "https://shop.example/ho\tok",
    "https://shop.example/ho\r\nX-Injected: 1",
    "https://shop.example/\x00",
    "https://shop.example/caf\u00e9",
    "https://[::1/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::ffff:127.0.0.1%1]/",
    "https://[v1.fe80::a+en1]/",
    "https://[127.0.0.1]/",
    "https://shop.example/" + "a" * 2048,
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 130}example/",
]
# Addresses that are nobody's on the Internet, or may lead back to us.
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::93.184.215.14",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::5db8:d70e",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:5db8:d70e::1",
    "2606:2800:220:1:0:5efe:7f00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "nonsense",
]


class Names:
    """A resolver that says what it is told, and counts. `connected` are the addresses asked for."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.asked = 0
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str) -> Sequence[str]:
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror("no such name")
        return self.addresses

    def connect(self, address: tuple[str, int], within_s: float) -> socket.socket:
        self.connected.append(address)
        raise ConnectionRefusedError

    @property
    def client(self) -> WebhookClient:
        return WebhookClient(resolve=self.resolve, connect=self.connect)


@pytest.mark.parametrize("url", ODD_URLS)
def test_odd_urls_are_refused_at_registration_and_at_sending(url: str) -> None:
    names = Names(PUBLIC)
    with pytest.raises(InvalidInput) as refused:
        names.client.check_url(url)
    assert refused.value.details["field"] == "url"
    assert names.client.post(url, b"{}", {}).error == "url_refused"
    assert (names.asked, names.connected) == (0, [])


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_refused_at_registration_and_at_sending(
    address: str,
) -> None:
    """Also where another address of the name is public, and where DNS changes between the two."""
    url = "https://shop.example/hook"
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        names = Names(*addresses)
        with pytest.raises(InvalidInput):
            names.client.check_url(url)
        names.addresses = [PUBLIC]
        names.client.check_url(url)
        names.addresses = addresses
        assert names.client.post(url, b"{}", {}).error == "address_refused"
        assert names.connected == []


@pytest.mark.parametrize("address", [one for one in NOT_PUBLIC if one != "nonsense"])
def test_such_an_address_is_refused_as_the_host_itself(address: str) -> None:
    names = Names(PUBLIC)
    url = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    with pytest.raises(InvalidInput):
        names.client.check_url(url)
    assert names.client.post(url, b"{}", {}).error in ("url_refused", "address_refused")
    assert names.connected == []


def test_what_does_not_resolve_is_refused() -> None:
    names = Names()
    with pytest.raises(InvalidInput):
        names.client.check_url("https://shop.example/hook")
    assert names.client.post("https://shop.example/hook", b"{}", {}).error == "not_resolved"


def test_a_name_is_resolved_once_and_its_very_address_connected_to() -> None:
    names = Names(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    answer = names.client.post("https://shop.example/hook", b"{}", {})
    assert answer.error == "not_reachable"
    assert names.asked == 1
    assert names.connected == [(address, 443) for address in names.addresses]


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/hook?x=1&y=%20",
        "HTTPS://Shop.Example:443/Hook",
        "https://xn--mnchen-3ya.example/",
        "https://shop.example?x=1",
        f"https://{PUBLIC}/hook",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/hook",
    ],
)
def test_what_everybody_writes_is_taken(url: str) -> None:
    Names(PUBLIC).client.check_url(url)
    target = parse_url(url)
    assert (target.port, target.is_tls) == (443, True)
    assert target.host == target.host.lower()
    assert target.path.startswith("/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_plain_http_goes_to_this_machine_and_only_in_the_local_run(host: str) -> None:
    for url in (f"http://{host}/hook", f"http://{host}:8123/hook", f"HTTP://{host}:65535"):
        WebhookClient(to_loopback=True).check_url(url)
        with pytest.raises(InvalidInput):
            WebhookClient().check_url(url)
    for url in (
        f"http://{host}:0/",
        f"http://{host}:65536/",
        f"https://{host}/",
        f"http://{host}.example/",
        f"http://shop@{host}/",
        "http://10.0.0.1/",
        "http://127.0.0.2/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://shop.example/",
    ):
        with pytest.raises(InvalidInput):
            WebhookClient(to_loopback=True, resolve=lambda _: [PUBLIC]).check_url(url)


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, (PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111")))
