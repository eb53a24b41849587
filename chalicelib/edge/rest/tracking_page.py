"""The page of a tracking link, rendered here: it needs no script, and none of it is inline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from typing import Any

import msgspec
from chalice.app import Response

from chalicelib.contracts.track.bodies import render_tracked
from chalicelib.contracts.track.drawing import HEIGHT, WIDTH
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.tracked import TrackedOrder
from chalicelib.domain.orders.tracking_links import MAX_NOTE
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.errors import WaybillError

LINK_FOLDER = "t"
DEFAULT_LANGUAGE = "en"
RELOAD_S = 20  # where there are no scripts
# Of every answer at a link's address:
SECRET_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src https:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
}
_HTML = {"Content-Type": "text/html; charset=utf-8"}
Texts = Mapping[str, Any]


def is_link_path(path: str) -> bool:
    """Say whether a path, as `/{proxy+}` captures it, is where links are."""
    return path.split("/")[0] == LINK_FOLDER


def make_missing_page(languages: str | None = None) -> Response:
    """Make the one answer to every token that is none, or none any more."""
    language, texts = choose_texts(languages)
    title, words = texts["missing_title"], texts["missing"]
    main = f"<main><h1>{escape(title)}</h1>\n<p>{escape(words)}</p></main>"
    return Response(_make_document(language, title, main), dict(_HTML), 404)


def make_page(
    order: TrackedOrder,
    note_path: str,
    languages: str | None,
    refusal: WaybillError | None = None,
) -> Response:
    """Make the page of a link. `note_path` is where its form goes, from the page's address on;
    `refusal` is why a note was not kept."""
    language, texts = choose_texts(languages)
    texts = {**texts, **texts["words_of"].get(order.flow, {})}
    # An unserved order may be tried again: its page has to be looked at further.
    is_final = order.is_over and order.status is not Status.UNSERVED
    alert = f'<p role="alert">{escape(texts["note_refused"])}</p>' if refusal else ""
    main = (
        f'<main data-version="{order.version}" data-final="{str(is_final).lower()}">\n'
        f"{alert}{_render_parts(order, texts, note_path)}\n</main>\n"
        # Its words are read out when they change: what is above is put there anew each time.
        '<p id="news" role="status"></p>'
    )
    # What answers a form is not to be loaded anew: it would be sent again.
    head = _SCRIPT if is_final or refusal else _SCRIPT + _RELOAD
    document = _make_document(language, _choose_stage(order, texts), main, head)
    return Response(document, dict(_HTML), refusal.http_status if refusal else 200)


def render_as_json(order: TrackedOrder, languages: str | None) -> dict[str, Any]:
    """Render what the page shows, with the status in words."""
    language, texts = choose_texts(languages)
    return {**render_tracked(order), "status_text": _choose_stage(order, texts), "lang": language}


def choose_texts(languages: str | None) -> tuple[str, Texts]:
    """Choose the first language of `Accept-Language` that there are texts in, by its weights;
    return its name and its texts."""
    known = _read_texts()
    for name in _list_languages(languages or ""):
        for tag in (name, name.partition("-")[0]):
            if tag in known:
                return tag, known[tag]
    return DEFAULT_LANGUAGE, known[DEFAULT_LANGUAGE]


def _list_languages(header: str) -> list[str]:
    """List the languages that a header asks for, the most wanted first (RFC 9110, 12.5.4)."""
    found = [_LANGUAGE.fullmatch(part.strip()) for part in header[:500].split(",")]
    weighted = [(float(one[2] or 1), one[1].lower()) for one in found if one]
    return [name for weight, name in sorted(weighted, key=lambda one: -one[0]) if weight > 0]


_LANGUAGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")


@lru_cache
def _read_texts() -> dict[str, Texts]:
    found: dict[str, Texts] = msgspec.json.decode((PAGES_FOLDER / "track_texts.json").read_bytes())
    return found


def _choose_stage(order: TrackedOrder, texts: Texts) -> str:
    own: Mapping[str, str] = texts["stages_of"].get(order.flow, {})
    return own.get(order.stage) or str(texts["stages"][order.stage])


def _make_document(language: str, title: str, main: str, head: str = "") -> str:
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n"
        f'<link rel="stylesheet" href="/api/client/track.css">\n{head}'
        f"</head>\n<body>\n{main}\n</body>\n</html>\n"
    )


_SCRIPT = '<script type="module" src="/api/client/track.js"></script>\n'
_RELOAD = f'<noscript><meta http-equiv="refresh" content="{RELOAD_S}"></noscript>\n'


# The parts of the page, each "" where there is nothing to show


def _render_parts(order: TrackedOrder, texts: Texts, note_path: str) -> str:
    body = render_tracked(order)
    parts = (
        f"<h1>{escape(_choose_stage(order, texts))}</h1>",
        f'<p class="small">{escape(texts["since"])} {_render_time(body["changed_at"])}</p>',
        *(render(body, texts) for render in _PARTS),
        f'<p id="note">{escape(texts["note"])} {escape(order.note)}</p>' if order.note else "",
        _render_form(texts, note_path) if order.takes_note else "",
    )
    return "\n".join(filter(None, parts))


def _render_eta(body: Mapping[str, Any], texts: Texts) -> str:
    minutes, text = body.get("eta_minutes"), texts["eta"]
    hidden = " hidden" if minutes is None else ""
    words = "" if minutes is None else text.replace("{minutes}", str(minutes))
    return f'<p id="eta" data-text="{escape(text)}"{hidden}>{escape(words)}</p>'


def _render_window(body: Mapping[str, Any], texts: Texts) -> str:
    rows = [
        f"<dt>{escape(texts[name])}</dt><dd>{_render_time(at)}</dd>"
        for name, at in (body.get("window") or {}).items()
    ]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def _render_pin(body: Mapping[str, Any], texts: Texts) -> str:
    if "pin" not in body:
        return ""
    return f'<p id="pin">{escape(texts["pin"])} <strong>{escape(body["pin"])}</strong></p>'


def _render_courier(body: Mapping[str, Any], texts: Texts) -> str:
    courier = body.get("courier")
    if not courier:
        return ""
    picture = courier.get("picture")
    shown = f'<img src="{escape(picture)}" alt="" referrerpolicy="no-referrer">' if picture else ""
    words = [courier.get("first_name"), courier.get("vehicle")]
    named = "<br>".join(escape(word) for word in words if word)
    label = f'<span class="small">{escape(texts["courier"])}</span>'
    return f'<section id="courier">{shown}<p>{label}<br>{named}</p></section>'


def _render_map(body: Mapping[str, Any], texts: Texts) -> str:
    drawn = body.get("map")
    if not drawn:
        return ""
    parts = [
        f'<circle class="courier" cx="{drawn["courier"][0]}" cy="{drawn["courier"][1]}" r="7"/>'
    ]
    parts.append(_render_label("courier", drawn["courier"], -12, texts["map_courier"]))
    if "dropoff" in drawn:
        (x1, y1), (x2, y2) = drawn["courier"], drawn["dropoff"]
        bar = drawn["bar"]
        parts.insert(0, f'<line class="way" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
        parts += [
            f'<rect class="dropoff" x="{x2 - 6}" y="{y2 - 6}" width="12" height="12"/>',
            _render_label("dropoff", drawn["dropoff"], 20, texts["map_dropoff"]),
            f'<line class="bar" x1="12" y1="188" x2="{12 + bar["px"]}" y2="188"/>',
            f'<text class="bar" x="12" y="182">{bar["m"]} m</text>',
        ]
    sheet = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(texts["map"])}">'
    seen_at = _render_time(body["position"]["at"])
    seen = f'<p id="seen" class="small">{escape(texts["seen"])} {seen_at}</p>'
    return f"<section>{sheet}{''.join(parts)}</svg>{seen}</section>"


def _render_label(name: str, at: list[float], below: int, words: str) -> str:
    """Write words above or below a place, in the middle: beside it they may not fit the sheet."""
    y = round(at[1] + below, 1)
    return f'<text class="{name}" x="{at[0]}" y="{y}">{escape(words)}</text>'


def _render_tip(body: Mapping[str, Any], texts: Texts) -> str:
    tip = body.get("tip")
    if not tip:
        return ""
    amount = f"{tip['amount']:.2f}".removesuffix(".00")
    return f'<p id="tip">{escape(texts["tip"])} {amount} {escape(tip["currency"])}</p>'


def _render_form(texts: Texts, note_path: str) -> str:
    """Render the form by which a note is left."""
    return (
        f'<section><form id="note" method="post" action="{escape(note_path)}">'
        f'<label for="words">{escape(texts["note_label"])}</label>'
        f'<textarea id="words" name="note" maxlength="{MAX_NOTE}" required></textarea>'
        f"<button>{escape(texts['note_send'])}</button></form></section>"
    )


def _render_time(at: str) -> str:
    """Write a time for a browser to say in its own place; without scripts it is UTC."""
    return f'<time datetime="{escape(at)}">{at[:10]} {at[11:16]} UTC</time>'


_PARTS: tuple[Callable[[Mapping[str, Any], Texts], str], ...] = (
    _render_eta,
    _render_window,
    _render_pin,
    _render_courier,
    _render_map,
    _render_tip,
)
