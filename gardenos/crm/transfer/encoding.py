"""Which encoding a file of unknown origin is in."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from charset_normalizer import from_bytes

from gardenos.core.errors import InvalidContent

_BLOCK: Final = 1 << 20
_SAMPLE: Final = 64 * 1024
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKED: Final = frozenset({"utf-16", "utf-32"})
_GUESSABLE: Final = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("gb18030", "big5", "shift_jis", "euc_kr"),
]
_MULTIBYTE: Final = frozenset({"gb18030", "big5", "shift_jis", "euc_kr"})
NAMED: Final = frozenset(
    [*_GUESSABLE, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
    + [f"iso8859-{part}" for part in (2, 5, 7, 8, 9, 15)]
    + ["koi8-r", "koi8-u", "cp437", "cp850", "cp866", "mac-roman"]
)
"""What a sender may say a file is in."""
_LATIN: Final = ["cp1252", "cp1250", "cp1254"]
_HIGH: Final = bytes(range(128, 256))
_ALONE: Final = re.compile(
    rb"(?<![\x80-\xff])[\x80\x85\x8a\x8c\x8e\x91-\x97\x99\x9a\x9c\x9e-\xff](?![\x80-\xff])"
)
"""A letter or a mark of typography in cp1252 and its kin, between bytes of ASCII."""
_LATIN_2: Final = re.compile(rb"[a-z][\xb3\xb9\xbf][a-z]")
"""The Polish letters that in cp1252 would be superscripts and question marks inside a word."""
_SEQUENCE: Final = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_STRAY: Final = [bytes([n]).decode("cp1252", "ignore") or chr(n) for n in range(256)]
_STRAY_HANDLER: Final = "gardenos.stray"


def _read_stray(error: UnicodeError) -> tuple[str, int]:
    # A byte the encoding has no character for: what Windows would show, never a lost row.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(_STRAY[n] for n in error.object[error.start : error.end]), error.end


codecs.register_error(_STRAY_HANDLER, _read_stray)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file: what `open` takes."""

    name: str
    errors: str = _STRAY_HANDLER


def named(name: str) -> Encoding:
    """The encoding a sender named. Raises `InvalidContent` for one that is not read here."""
    try:
        known = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        known = ""
    if known not in {codecs.lookup(allowed).name for allowed in NAMED}:
        raise InvalidContent(
            errors=[{"pointer": "/encoding", "detail": f"is none of {', '.join(sorted(NAMED))}"}]
        )
    return _encoding(known)


def _encoding(name: str) -> Encoding:
    wide = name.startswith(("utf-16", "utf-32")) or name in _MULTIBYTE
    return Encoding(name, "replace" if wide else _STRAY_HANDLER)


def as_in(file: BinaryIO, known: Encoding) -> Encoding:
    """The encoding a sender named, as this file has it; the file is rewound.

    Of UTF-16 and UTF-32 the byte order mark tells which bytes come first. Python reads neither
    without one; then it is the order in which a header that begins in ASCII has its zeros.
    """
    marks = tuple(mark for mark, name in _BOMS if name == known.name)
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    if known.name not in _MARKED or head.startswith(marks):
        return known
    order = "be" if head.startswith(b"\0") else "le"
    return _encoding(f"{known.name}-{order}")


def detect(file: BinaryIO) -> Encoding:
    """The encoding of a file, read in blocks and rewound.

    A byte order mark decides; then what is valid UTF-8, also with a few stray bytes in it, is
    UTF-8. The rest is guessed from the lines that are not ASCII, in favour of cp1252.
    """
    file.seek(0)
    head = file.read(4096)
    encoding = _by_mark(head) or _by_zeros(head) or _by_bytes(file)
    file.seek(0)
    return encoding


def _by_mark(head: bytes) -> Encoding | None:
    return next((_encoding(name) for mark, name in _BOMS if head.startswith(mark)), None)


def _by_zeros(head: bytes) -> Encoding | None:
    # Mostly Western text in UTF-16 without a mark: every second byte is zero.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    least = len(head) // 5
    if least and odd > least and even == 0:
        return _encoding("utf-16-le")
    if least and even > least and odd == 0:
        return _encoding("utf-16-be")
    return None


def _by_bytes(file: BinaryIO) -> Encoding:
    if _is_utf8(file):
        return Encoding("utf-8")
    within, high, sample = _tally(file)
    if within > 4 * (high - within):
        return Encoding("utf-8")
    return _guess(sample)


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _tally(file: BinaryIO) -> tuple[int, int, bytes]:
    """Bytes in UTF-8 sequences, bytes above ASCII, and the first lines that have such bytes."""
    within = high = 0
    sample = bytearray()
    file.seek(0)
    while block := file.read(_BLOCK):
        within += sum(map(len, _SEQUENCE.findall(block)))
        high += len(block) - len(block.translate(None, _HIGH))
        for line in block.splitlines(keepends=True):
            if len(sample) >= _SAMPLE:
                break
            if not line.isascii():
                sample += line[:_SAMPLE]
    return within, high, bytes(sample)


def _guess(sample: bytes) -> Encoding:
    if _LATIN_2.search(sample):
        return Encoding("cp1250")
    latin = _is_latin(sample)
    matches = from_bytes(
        sample, cp_isolation=_LATIN if latin else _GUESSABLE, enable_fallback=False
    )
    best = matches.best()
    # What reads the same in two encodings is listed once, under either name.
    western = next((match for match in matches if "cp1252" in match.could_be_from_charset), None)
    if best is None:
        return Encoding("cp1252")
    if western is not None and western.chaos <= best.chaos:
        return Encoding("cp1252")
    if best.coherence == 0 and (latin or best.encoding not in _MULTIBYTE):
        return Encoding("cp1252")
    return _encoding(best.encoding)


def _is_latin(sample: bytes) -> bool:
    """Whether letters beyond ASCII stand alone among ASCII, as in Latin script.

    Words of other scripts are runs of such bytes. A single umlaut would else pass for half of a
    Chinese character, with whatever letter comes after it as the other half.
    """
    high = len(sample) - len(sample.translate(None, _HIGH))
    return len(_ALONE.findall(sample)) * 3 > high * 2
