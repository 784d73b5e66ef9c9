"""The protobuf wire format, as much of it as is needed to write messages by hand.

After https://protobuf.dev/programming-guides/encoding/: a field is a tag (number and type), then a
varint, eight bytes, or a length and that many bytes.
"""

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def varint(value: int) -> bytes:
    """Write a number in groups of seven bits, the lowest first; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    if value < 0x80:
        return bytes((value,))
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def number(field: int, value: int) -> bytes:
    """Write a field of any integer or enum type."""
    return varint(field << 3 | _VARINT) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    """Write a field of type fixed64."""
    return varint(field << 3 | _FIXED64) + value.to_bytes(8, "little")


def content(field: int, value: bytes) -> bytes:
    """Write a field that is a message, or bytes."""
    return varint(field << 3 | _BYTES) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """Write a field of type string."""
    return content(field, value.encode())
