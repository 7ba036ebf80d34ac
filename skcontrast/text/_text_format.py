"""word2vec's text format: a line with two numbers, then a line for each word."""

import gzip
import io
import os
import re
import zlib
from array import array
from collections import Counter
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

import numpy as np

from skcontrast._component import warn
from skcontrast._files import sweep, writing
from skcontrast._inputs.word_breaks import composed

# Lines by which the length of the vectors is told, where the first line does not say it.
SAMPLE = 1000
# What ASCII has for machines, but for the ends of lines and tabs.
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\r"))
_BLANK = b" \t\r\n"
# A number of a vector at the end of a word: a line with a number too many.
_FRACTION = re.compile(rb"\s[-+]?\d*\.\d+(e[-+]?\d+)?$", re.IGNORECASE)


def write_word2vec(path, words, vectors):
    """Write word vectors as text, gzipped where the name ends in .gz.

    No word may hold white space, which the format takes for its end. The float32 vectors (n_words,
    n_components) are written so that reading gives the same bits.
    """
    for word in words:
        if word.split() != [word]:
            raise ValueError(
                f"the word {word!r:.60} holds white space, by which word2vec's text format ends a "
                "word: join its parts by '_', or leave it out."
            )
        if _has_control(word.encode(errors="replace")):
            raise ValueError(f"the word {word!r:.60} holds a control character: leave it out.")
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise ValueError(f"the word {word!r:.60} holds half a character, so UTF-8 refuses it.")
    with ExitStack() as stack:
        file = stack.enter_context(_opened(path))
        if os.fspath(path).endswith(".gz"):
            name = os.path.basename(path)
            file = stack.enter_context(gzip.GzipFile(name, "wb", fileobj=file))
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, vector in zip(words, vectors):
            numbers = " ".join([f"{value:.9g}" for value in vector.tolist()])
            file.write(f"{word} {numbers}\n".encode())


def _opened(path):
    """A file that takes the place of the one there when it is whole."""
    found = Path(os.path.realpath(path))  # a link goes on pointing to its file
    if found.exists() and not found.is_file():  # a pipe or a device cannot be replaced
        return open(path, "wb")
    if found.parent.is_dir():
        sweep(found.parent, re.escape(found.name))
    return writing(found)


def read_word2vec(path, vocabulary=None, max_features=None):
    """Read words and float32 vectors (n_words, n_components) from text.

    The first line may say their numbers, which GloVe leaves out. The last fields of a line are the
    numbers, and what stands before them is the word, which may hold blanks and is brought to one
    form, as texts are. Only the words of ``vocabulary``, a list, are kept, in its order, or the
    first ``max_features`` of the file.
    """
    name = os.fspath(path)
    try:
        # Of bytes only Latin-1 makes text and the same bytes again; text also ends lines at CR.
        with (
            open(path, "rb") as file,
            io.TextIOWrapper(_unpacked(file, name), "latin-1") as text,
        ):
            words, lines, vectors = _Reader(name).read(text, vocabulary, max_features)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _refusal(name, "it is a damaged gzip file, or the beginning of one") from None
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        why = "holds a number that is not finite as float32"
        raise _refusal(name, f"line {lines[row]}, of {words[row]!r:.60}, {why}")
    if vocabulary is None:
        return words, vectors
    index = {word: row for row, word in enumerate(words)}
    words = [word for word in vocabulary if word in index]
    return words, vectors[[index[word] for word in words]]


class _Reader:
    """Reads lines one by one, so that what is left out takes no memory."""

    def __init__(self, name):
        self.name, self.width, self.expected = name, 0, None

    def read(self, file, vocabulary, max_features):
        """Words, the number of the line of each, and vectors."""
        wanted = None if vocabulary is None else set(vocabulary)
        limit = len(wanted) if wanted else max_features or np.inf
        rows, lines, numbers, n_lines, twice = {}, array("q"), array("f"), 0, []
        for number, line in self._sized(file):
            n_lines += 1
            word, fields = self._split(number, line)
            if word in rows:
                twice.append((number, word))
            elif wanted is None or word in wanted:
                rows[word] = len(rows)
                lines.append(number)
                self._add(numbers, fields, number, line)
            if len(rows) == limit:
                break
        else:
            self._check_end(n_lines)
        if not rows:
            why = "it holds no words" if wanted is None else "it holds no word of vocabulary="
            raise _refusal(self.name, why)
        if twice:
            number, word = twice[0]
            warn(
                f"{len(twice)} lines of {self.name!r} give a word for the second time and are left "
                f"out, the first of them line {number} of {word!r:.60}, known from line "
                f"{lines[rows[word]]}."
            )
        return list(rows), lines, np.frombuffer(numbers, np.float32).reshape(-1, self.width)

    def _sized(self, file):
        """Lines with their numbers, when it is known how many entries a vector has."""
        lines = _lines(file)
        sample = list(islice(lines, SAMPLE))
        if not sample:
            raise _refusal(self.name, "it is empty")
        head = sample[0][1].split()
        if len(head) == 2 and all(map(bytes.isdigit, head)) and not _has_control(sample[0][1]):
            self.expected, self.width = map(int, head)
            del sample[0]
            found = [_n_numbers(line) for _, line in sample]
            if found and min(found) > self.width:
                why = f"its first line promises {self.width} numbers a word, and line "
                raise _refusal(self.name, f"{why}{sample[0][0]} has {found[0]}")
        else:
            # Of two as frequent the larger: a line is refused rather than read as a longer word.
            found = Counter(_n_numbers(line) for _, line in sample)
            self.width = max(found, key=lambda width: (found[width], width))
        return chain(sample, lines)

    def _split(self, number, line):
        if not self.width:
            raise self._wrong(number, line, "holds no numbers behind a word")
        if _has_control(line):
            found = next(letter for letter in line if letter in _CONTROL)
            raise self._wrong(number, line, f"holds the control character \\x{found:02x}")
        fields = line.rsplit(None, self.width)
        if len(fields) != self.width + 1:
            why = f"has {len(fields)} fields where a word and {self.width} numbers belong"
            raise self._wrong(number, line, why)
        word = fields[0].strip()
        if _FRACTION.search(word):
            raise self._wrong(number, line, f"has more than {self.width} numbers")
        try:
            word = word.decode()
            # The form that texts are brought to; a soft hyphen alone stays.
            return composed(word) or word, fields[1:]
        except UnicodeDecodeError:
            raise self._wrong(number, line, "") from None

    def _add(self, numbers, fields, number, line):
        try:
            if b"_" in line and any(b"_" in field for field in fields):
                raise ValueError  # which Python reads as one number
            numbers.extend(map(float, fields))
        except ValueError:
            raise self._wrong(number, line, "holds something else than numbers") from None

    def _check_end(self, n_lines):
        if self.expected is not None and n_lines != self.expected:
            why = f"its first line promises {self.expected} words, but {n_lines} follow"
            raise _refusal(self.name, why)

    def _wrong(self, number, line, why):
        try:
            line.decode()
        except UnicodeDecodeError:
            why = "is not text in UTF-8, perhaps word2vec's binary format"
        return _refusal(self.name, f"line {number} {why}")


def _lines(file):
    """Lines that are not blank, and their numbers."""
    for number, line in enumerate(file, start=1):
        line = line.encode("latin-1")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip(_BLANK):
            yield number, line


def _has_control(line):
    return len(line.translate(None, _CONTROL)) < len(line)


def _n_numbers(line):
    """How many fields at the end of a line are numbers, the first field aside."""
    count = 0
    for field in reversed(line.split()[1:]):
        try:
            float(field)
        except ValueError:
            break
        count += 1
    return count


def _unpacked(file, name):
    start = file.peek(4)
    if start.startswith(b"PK\x03\x04"):
        raise _refusal(name, "it is a zip archive: unpack it, and read a file of it")
    return gzip.GzipFile(fileobj=file) if start.startswith(b"\x1f\x8b") else file


def _refusal(name, why):
    return ValueError(f"{name!r} cannot be read as word vectors: {why}.")
