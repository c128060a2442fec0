"""Computes the keys under which a poll stores its voters, as `schema/src/poll/voter_key.rs` does."""

import hashlib
import hmac

# The front of a UUIDv7 that a key keeps: its time, in units of 16.4 seconds.
TIME = (1 << 128) - (1 << 94)
VERSION_AND_VARIANT = 0xf << 76 | 0x3 << 62


def key_of(secret, voter):
    """Returns the key of a voter, as 32 hexadecimal digits. `secret`: the poll's 32 bytes; `voter`: the id in a cookie."""
    key = int.from_bytes(hmac.digest(secret, bytes.fromhex(voter), hashlib.sha256)[:16], "big")
    if voter[12] == "7":
        key = int(voter, 16) & TIME | key & ~TIME
    return f"{key & ~VERSION_AND_VARIANT | 8 << 76 | 2 << 62:032x}"
