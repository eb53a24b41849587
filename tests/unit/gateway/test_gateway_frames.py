"""Text frames are as the WebSocket library would write them."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from infra.gateway.frames import text_frame_head


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 131072])
def test_a_text_frame_begins_as_rfc_6455_has_it(length: int) -> None:
    data = b"x" * length
    assert text_frame_head(length) + data == Frame(Opcode.TEXT, data).serialize(mask=False)
