"""Reads from a fact's archived bytes what its life names as the life before: protobuf by hand, from proto/medfleet/v1 alone."""

import struct

OPENED_FIELD = 16
PREVIOUS_FIELD = 1


def fields(data: bytes) -> dict[int, bytes | int]:
    """The last value of every field: integers for numbers, bytes for everything else."""
    found, place = {}, 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            found[number], place = _varint(data, place)
        elif wire == 1:
            (found[number],) = struct.unpack_from("<Q", data, place)
            place += 8
        elif wire == 2:
            length, place = _varint(data, place)
            found[number] = data[place : place + length]
            place += length
        elif wire == 5:
            (found[number],) = struct.unpack_from("<I", data, place)
            place += 4
        else:
            raise ValueError(f"wire type {wire} in a fact")
    return found


def life_before(fact: bytes) -> tuple[int, int] | None:
    """(epoch as a signed number, its last durable seq), when an `opened` fact names one."""
    opened = fields(fact).get(OPENED_FIELD)
    previous = fields(opened).get(PREVIOUS_FIELD) if opened else None
    if not previous:
        return None
    named = fields(previous)
    epoch = struct.unpack("<q", struct.pack("<Q", named[1]))[0]
    return epoch, named.get(3, 0)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
