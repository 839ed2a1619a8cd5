"""Files that can be made again: indexes, downloads, compiled forms. They may vanish between calls."""

from ._host import host
from .words import well_formed

# What one read of the host is asked for.
_PIECE_BYTES = 1024 * 1024


def size(name: str) -> int | None:
    """The size of a file in bytes, or None where there is no such file."""
    return host.cache_size(well_formed(name))


def read(name: str, offset: int = 0, length: int | None = None) -> bytes | None:
    """The file, or at most ``length`` bytes of it from ``offset``; None where there is no such file."""
    if length is not None:
        return host.cache_read(well_formed(name), offset, length)
    pieces = bytearray()
    while True:
        piece = host.cache_read(well_formed(name), offset + len(pieces), _PIECE_BYTES)
        if piece is None:
            return None
        pieces += piece
        if len(piece) < _PIECE_BYTES:
            return bytes(pieces)


def write(name: str, content: bytes) -> None:
    """Replaces a file as a whole; readers see the old or the new one."""
    host.cache_write(well_formed(name), content)


def delete(name: str) -> None:
    """Removes a file; removing what is not there is no error."""
    host.cache_delete(well_formed(name))


def names() -> list[str]:
    """The names of all files, sorted."""
    return host.cache_names()
