"""Words of a text in any script: letters with their marks, cut where no spaces stand."""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

# Scripts without spaces between words: ideograms and kana, then Thai, Lao, Burmese and Khmer.
_IDEOGRAMS = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u303c\u3041-\u30fa\u30fc-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
# Letters of a piece, which overlap, and the longest that words are on average, where spaces
# between them are trusted.
_PIECE = {"ideograms": 2, "letters": 3}
_LONGEST = {"ideograms": 5, "letters": 10}
_ASCII = {1: re.compile(r"\w+"), 2: re.compile(r"\w\w+")}


class _Patterns(NamedTuple):
    word: re.Pattern
    unspaced: re.Pattern
    gap: re.Pattern
    part: re.Pattern
    letter: re.Pattern
    kinds: dict[str, re.Pattern]


@cache
def _patterns():
    # Python's \w has no marks, which are vowels in Indian scripts, nor the two joiners of letters.
    # All marks stand on these planes.
    planes = (*range(0x20000), *range(0xE0000, 0xE0200))
    codes = [c for c in planes if unicodedata.category(chr(c))[0] == "M"]
    starts = [c for c in codes if not unicodedata.category(chr(c - 1)).startswith("M")]
    ends = [c for c in codes if not unicodedata.category(chr(c + 1)).startswith("M")]
    marks = "\u200c\u200d" + "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends))
    both = _IDEOGRAMS + _LETTERS
    return _Patterns(
        word=re.compile(rf"\w[\w{marks}]*"),
        unspaced=re.compile(f"[{both}]"),
        gap=re.compile(rf"(?<=[{both}{marks}])[\s\u200b]+(?=[{both}])"),
        part=re.compile(
            f"(?P<ideograms>[{_IDEOGRAMS}][{_IDEOGRAMS}{marks}]*)"
            f"|(?P<letters>[{_LETTERS}][{_LETTERS}{marks}]*)|[^{both}]+"
        ),
        letter=re.compile(f".[{marks}]*", re.DOTALL),
        kinds={
            "ideograms": re.compile(f"(?![{marks}])[{_IDEOGRAMS}]"),
            "letters": re.compile(f"(?![{marks}])[{_LETTERS}]"),
        },
    )


def words_of(text, shortest=1):
    """Words of a text, as a list: a letter, and letters, digits, marks and "_" behind it.

    Words of fewer than ``shortest`` characters, 1 or 2, are left out, but for ideograms. A text in
    a script without spaces gives overlapping pieces, of two ideograms or three other letters,
    unless it does have spaces between words.
    """
    if text.isascii():
        return _ASCII[shortest].findall(text)
    patterns = _patterns()
    # A joiner that joins nothing is no part of a word.
    words = [word.rstrip("\u200c") for word in patterns.word.findall(text)]
    if patterns.unspaced.search(text) and not _is_spaced(text, patterns):
        words = [piece for word in words for piece in _pieces(word, patterns)]
    if shortest == 1:
        return words
    ideogram = patterns.kinds["ideograms"].match
    return [word for word in words if len(word) > 1 or ideogram(word)]


def _is_spaced(text, patterns):
    """Whether spaces stand between the words of a script that goes without."""
    n_words = 1 + len(patterns.gap.findall(text))
    n = {kind: len(pattern.findall(text)) for kind, pattern in patterns.kinds.items()}
    return n_words > 1 and sum(n[kind] / _LONGEST[kind] for kind in n) <= n_words


def _pieces(word, patterns):
    for part in patterns.part.finditer(word):
        size = _PIECE.get(part.lastgroup)
        if size is None:
            yield part[0]
            continue
        letters = patterns.letter.findall(part[0])
        for start in range(max(1, len(letters) - size + 1)):
            yield "".join(letters[start : start + size])


def composed(text):
    """The text in one form: letters with their accents as one character (NFC), no soft hyphens."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.replace("\xad", ""))
