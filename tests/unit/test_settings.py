"""The environment: defaults, and one clear line for each bad value."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.settings import BadSetting, Settings

GOOD = {"JWT_SECRET": "x" * 32}


def test_defaults_are_those_of_the_specs() -> None:
    settings = Settings.from_env(GOOD)
    assert settings.delivery_offer_ttl == timedelta(seconds=15)
    assert settings.hail_offer_ttl == timedelta(seconds=300)
    assert settings.hail_search_ttl == timedelta(seconds=1800)
    assert settings.ride_search_ttl == timedelta(seconds=300)
    assert settings.dispatch_radius_m == 5000
    assert settings.fix_max_age == timedelta(seconds=120)
    assert settings.jwt_algorithms == ("HS256",)
    assert settings.aws_endpoint is None
    assert settings.heartbeat == timedelta(0)


def test_every_default_is_the_same_with_an_empty_environment_and_without() -> None:
    assert Settings.from_env(GOOD) == Settings(jwt_secret=GOOD["JWT_SECRET"])


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({}, "JWT_SECRET (or JWT_JWKS_URL) must be set."),
        ({"JWT_SECRET": "short"}, "JWT_SECRET must have at least 32 characters."),
        ({**GOOD, "JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS with JWT_SECRET takes any of HS256"),
        ({**GOOD, "JWT_ALGORITHMS": "RS256"}, "JWT_ALGORITHMS with JWT_SECRET takes any of HS256"),
        ({**GOOD, "JWT_ALGORITHMS": ","}, "JWT_ALGORITHMS with JWT_SECRET takes any of HS256"),
        (
            {"JWT_JWKS_URL": "http://127.0.0.1/k", "JWT_ALGORITHMS": "RS256,HS256"},
            "JWT_ALGORITHMS with JWT_JWKS_URL takes any of ES256",
        ),
    ],
)
def test_a_bad_token_setting_stops_the_start(env: dict[str, str], line: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env(env)
    assert str(stopped.value).startswith(line)
    assert "\n" not in str(stopped.value)


SECONDS = [
    "DELIVERY_OFFER_TTL_S",
    "HAIL_OFFER_TTL_S",
    "HAIL_SEARCH_TTL_S",
    "RIDE_SEARCH_TTL_S",
    "AUTH_DEADLINE_S",
    "FEED_STALE_S",
    "QUOTE_TTL_S",
    "FIX_MAX_AGE_S",
    "SOCKETIO_PING_INTERVAL_S",
    "NO_SHOW_AFTER_PICKUP_S",
    "NO_SHOW_AFTER_DROPOFF_S",
]


NUMBERS = [*SECONDS, "DISPATCH_RADIUS_M", "START_RIDE_RADIUS_M", "FIX_MAX_ACCURACY_M"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", "1e999", "1,5", "0x10", "200000", " "])
def test_a_number_that_can_not_be_used_is_named_with_what_it_takes(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env({**GOOD, name: value})
    assert str(stopped.value).startswith(f"{name} takes a number from ")
    assert repr(value) in str(stopped.value)


@pytest.mark.parametrize("name", SECONDS)
def test_no_time_may_be_nought(name: str) -> None:
    with pytest.raises(BadSetting):
        Settings.from_env({**GOOD, name: "0"})


def test_waves_are_metres_couriers_and_seconds() -> None:
    settings = Settings.from_env({**GOOD, "DISPATCH_WAVES": "1500x1@15, 3000x20@86400"})
    assert settings.dispatch_waves == ((1500, 1, 15), (3000, 20, 86_400))
    assert Settings.from_env({**GOOD, "HAIL_WAVES": " "}).hail_waves == ()


@pytest.mark.parametrize("name", ["DISPATCH_WAVES", "HAIL_WAVES"])
@pytest.mark.parametrize(
    "value",
    [
        "x",
        ",",
        "1500x1",
        "1500x1@15,",
        "0x1@15",
        "1500x0@15",
        "1500x21@15",
        "1500x1@0",
        "1500x1@86401",
        "100001x1@15",
        "-1x1@1",
        "1.5x1@15",
        "١x1@15",
        "1500x1@15;3000x5@15",
        ",".join(["1x1@1"] * 21),
    ],
)
def test_waves_that_can_not_be_are_named_with_what_it_takes(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env({**GOOD, name: value})
    assert str(stopped.value).startswith(f"{name} takes up to 20 waves, each of up to 100000 m")
    assert "\n" not in str(stopped.value)


def test_a_heartbeat_comes_before_the_edge_cuts_or_not_at_all() -> None:
    """CloudFront's quota: 10 minutes without a byte from the server."""
    assert Settings.from_env({**GOOD, "HEARTBEAT_S": "480"}).heartbeat == timedelta(minutes=8)
    with pytest.raises(BadSetting, match="0 to 540"):
        Settings.from_env({**GOOD, "HEARTBEAT_S": "541"})


def test_histories_are_kept_for_days() -> None:
    assert Settings.from_env(GOOD).history_kept == timedelta(days=90)
    kept = Settings.from_env({**GOOD, "HISTORY_KEPT_DAYS": "30"}).history_kept
    assert kept == timedelta(days=30)
    for bad in ("0", "36501", "x"):
        with pytest.raises(BadSetting, match="HISTORY_KEPT_DAYS"):
            Settings.from_env({**GOOD, "HISTORY_KEPT_DAYS": bad})


def test_the_check_at_the_pickup_can_be_turned_off() -> None:
    assert Settings.from_env({**GOOD, "START_RIDE_RADIUS_M": "0"}).start_ride_radius_m == 0


def test_public_keys_take_the_public_key_algorithms() -> None:
    settings = Settings.from_env({"JWT_JWKS_URL": "http://127.0.0.1/keys"})
    assert settings.jwt_algorithms == ("RS256", "ES256")


def test_a_localstack_compatible_endpoint_is_taken_from_either_variable() -> None:
    assert (
        Settings.from_env({**GOOD, "AWS_ENDPOINT_URL": "http://h:1"}).aws_endpoint == "http://h:1"
    )


def test_pings_come_before_api_gateway_closes_what_is_idle() -> None:
    """AWS quota: 10 minutes without traffic."""
    with pytest.raises(BadSetting, match="1 to 540"):
        Settings.from_env({**GOOD, "SOCKETIO_PING_INTERVAL_S": "541"})


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("", ("*",)),
        ("*", ("*",)),
        (" * ", ("*",)),
        ("https://app.example.com", ("https://app.example.com",)),
        (
            "https://a.example, http://localhost:3000",
            ("https://a.example", "http://localhost:3000"),
        ),
        ("HTTPS://App.Example.com", ("https://app.example.com",)),
        ("https://a.example:443,http://b.example:80", ("https://a.example", "http://b.example")),
        ("http://a.example:443", ("http://a.example:443",)),
        ("https://a.example,https://a.example", ("https://a.example",)),
        ("capacitor://localhost,ionic://localhost", ("capacitor://localhost", "ionic://localhost")),
        ("http://[::1]:8080,http://127.0.0.1", ("http://[::1]:8080", "http://127.0.0.1")),
    ],
)
def test_origins_are_kept_as_browsers_write_them(given: str, origins: tuple[str, ...]) -> None:
    assert Settings.from_env({**GOOD, "CORS_ORIGINS": given}).cors_origins == origins


@pytest.mark.parametrize(
    "given",
    [
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://*.example.com",
        "*,https://app.example.com",
        "https://a.example,,https://b.example",
        "https://a.example;https://b.example",
        "https://a.example https://b.example",
        "https://a.example,",
        ",",
        " ",
        "null",
        "https://",
        "https://me@a.example",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:99999",
        "https://m\u00fcller.example",
        "https://a.example\r\nX: y",
        "https://a.example?x",
    ],
)
def test_what_is_no_origin_stops_the_start(given: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env({**GOOD, "CORS_ORIGINS": given})
    assert str(stopped.value).startswith("CORS_ORIGINS takes * or origins")
    assert "\n" not in str(stopped.value)


def test_the_tariffs_of_the_flows_are_three_prices_each() -> None:
    settings = Settings.from_env({**GOOD, "HAIL_TARIFF": " 1/2/3 ", "FOOD_TARIFF": ""})
    assert settings.hail_tariff == (1, 2, 3)
    assert settings.food_tariff == Settings().food_tariff


@pytest.mark.parametrize("name", ["DELIVERY_TARIFF", "HAIL_TARIFF", "FOOD_TARIFF"])
@pytest.mark.parametrize(
    "given", ["1", "1/2", "1/2/3/4", "-1/2/3", "1.5/2/3", "standard=1/2/3", "1/2/1234567890", "x"]
)
def test_what_is_no_tariff_stops_the_start(name: str, given: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env({**GOOD, name: given})
    assert str(stopped.value).startswith(f"{name} takes base, per km and per minute")
    assert repr(given) in str(stopped.value)


def test_our_own_tokens_are_signed_by_what_every_stage_has() -> None:
    assert Settings.from_env(GOOD).signing_secret == GOOD["JWT_SECRET"]
    jwks = {"JWT_JWKS_URL": "http://127.0.0.1/keys"}
    for secret, taken in (("", ""), ("x" * 31, ""), ("x" * 32, "x" * 32)):
        settings = Settings.from_env({**jwks, "PAYMENT_WEBHOOK_SECRET": secret})
        assert settings.signing_secret == taken


def test_fees_are_by_flow() -> None:
    env = {**GOOD, "CANCEL_FEES": "delivery=1/2, ride=3/4", "NO_SHOW_FEE": "hail=5"}
    settings = Settings.from_env(env)
    assert settings.cancel_fees == (("delivery", 1, 2), ("ride", 3, 4))
    assert settings.no_show_fees == (("hail", 5),)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("CANCEL_FEES", "delivery=1"),
        ("CANCEL_FEES", "boat=1/2"),
        ("CANCEL_FEES", "ride=1/2,ride=1/2"),
        ("CANCEL_FEES", "ride=-1/2"),
        ("NO_SHOW_FEE", "ride=1/2"),
        ("NO_SHOW_FEE", "1"),
    ],
)
def test_what_is_no_fee_stops_the_start(name: str, given: str) -> None:
    with pytest.raises(BadSetting, match=name):
        Settings.from_env({**GOOD, name: given})


LOGIN = {**GOOD, "OIDC_ISSUER": "https://login.example.com/realm/", "OIDC_CLIENT_ID": "console"}


def test_people_sign_in_by_the_identity_provider_that_is_named() -> None:
    oidc = Settings.from_env(LOGIN).oidc
    assert oidc is not None
    assert (oidc.issuer, oidc.scope) == ("https://login.example.com/realm/", "openid profile")
    assert oidc.origins == ("https://login.example.com",)
    elsewhere = {**LOGIN, "OIDC_TOKEN_ORIGIN": "HTTPS://Tokens.example.com:443"}
    oidc = Settings.from_env(elsewhere).oidc
    assert oidc is not None
    assert oidc.origins == ("https://login.example.com", "https://tokens.example.com")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "[::1]:8080"])
def test_an_issuer_without_tls_is_on_this_machine(host: str) -> None:
    assert Settings.from_env({**LOGIN, "OIDC_ISSUER": f"http://{host}/a"}).oidc is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_CLIENT_ID", ""),
        ("OIDC_ISSUER", ""),
        *(
            ("OIDC_ISSUER", url)
            for url in (
                "login.example.com",
                "http://login.example.com",
                "http://127.0.0.1.example.com",
                "http://127.0.0.1@example.com",
                "https://a b.example.com",
                "https://login.example.com; script-src *",
                "https://login.example.com/?a=b",
                "https://login.example.com/#a",
                "https://login.example.com:99999",
                "javascript:alert(1)",
                "https://",
            )
        ),
        ("OIDC_TOKEN_ORIGIN", "http://tokens.example.com"),
        ("OIDC_TOKEN_ORIGIN", "https://tokens.example.com/path"),
        ("OIDC_TOKEN_ORIGIN", "*"),
        ("OIDC_SCOPE", "profile"),
    ],
)
def test_what_is_no_identity_provider_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=r"^OIDC_"):
        Settings.from_env({**LOGIN, name: value})


def test_vehicles_have_speeds_and_those_that_are_not_named_keep_theirs() -> None:
    settings = Settings.from_env(
        {**GOOD, "DISPATCH_RANK": "time", "VEHICLE_SPEEDS": "Bicycle=12.5, cargo bike=10"}
    )
    assert settings.ranks_by_time
    speeds = dict(settings.vehicle_speeds)
    assert (speeds["bicycle"], speeds["cargo bike"], speeds["car"]) == (12.5, 10, 25)
    assert not Settings.from_env(GOOD).ranks_by_time
    with pytest.raises(BadSetting, match="distance, time"):
        Settings.from_env({**GOOD, "DISPATCH_RANK": "speed"})


@pytest.mark.parametrize("bad", ["x", "car=", "car=0", "car=201", "car=-5", "=5", "car=nan", "a=١"])
def test_speeds_that_can_not_be_are_named_with_what_it_takes(bad: str) -> None:
    with pytest.raises(BadSetting, match="VEHICLE_SPEEDS takes vehicle types"):
        Settings.from_env({**GOOD, "VEHICLE_SPEEDS": bad})
