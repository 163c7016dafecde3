"""POST /api/decode: what a frame says, without storing it. Uses the channel keys of this installation."""

from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, post
from litestar.params import JSONBody
from msgspec import Struct

from hopscope.api import corescope_json
from hopscope.api.access import OPEN
from hopscope.api.context import Given
from hopscope.api.errors import BadRequest
from hopscope.api.packet_shapes import ByteField
from hopscope.api.presenter import field_of
from meshwire import DecodeError, decode

HEX_MAX = 1024  # digits; a frame on the air has at most 510


class Frame(Struct):
    """A frame in hex; white space and a leading 0x are allowed."""

    hex: Annotated[str, msgspec.Meta(max_length=HEX_MAX)] = ""


class Decoded(Struct):
    """The frame's meaning and its fields."""

    decoded: dict[str, Any]
    byte_map: list[ByteField]


class Rejected(Struct):
    """Why the firmware would not accept the frame, and at which byte it was noticed."""

    error: str
    at: int


@post("/api/decode", opt=OPEN, sync_to_thread=True, status_code=200, tags=["packets"])
def decode_frame(context: Given, data: JSONBody[Frame]) -> Response[Decoded | Rejected]:
    """Decode a frame; 400 with the place of the problem when it is none. What is sent is shown as it is, unhidden."""
    try:
        packet = decode(frame_of(data.hex), keys=context.decoder.keys, spans=True)
    except DecodeError as error:
        return Response(Rejected(error.problem, error.at), status_code=400, media_type=MediaType.JSON)
    return Response(Decoded(corescope_json.decoded(packet), [field_of(span) for span in packet.spans]))


def frame_of(text: str) -> bytes:
    """The bytes of a frame in hex. Raises BadRequest."""
    digits = "".join(text.split()).removeprefix("0x").removeprefix("0X")
    if not digits:
        raise BadRequest("hex is required")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadRequest("hex: expected whole bytes as hex digits") from None


ROUTES = (decode_frame,)
