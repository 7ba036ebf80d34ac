"""Files of word vectors as people have them: each line is read, or refused by its number."""

import gzip
import tracemalloc
import warnings

import numpy as np
import pytest
from broken import full_disk
from hypothesis import given, settings
from hypothesis import strategies as st

from skcontrast import Word2VecVectorizer
from skcontrast._inputs.word_breaks import composed
from skcontrast.text._text_format import read_word2vec

read = Word2VecVectorizer.from_word2vec_format
TWO = ["cat", "dog"]
READ = {
    "a blank at the end of lines": (b"2 2\ncat 1 2 \ndog 3 4 \n", TWO),
    "no first line": (b"cat 1 2\ndog 3 4", TWO),
    "ends of lines of Windows": (b"2 2\r\ncat 1 2\r\ndog 3 4\r\n", TWO),
    "ends of lines of old Macs": (b"2 2\rcat 1 2\rdog 3 4\r", TWO),
    "the same without a first line": (b"cat 1 2\rdog 3 4", TWO),
    "ends of lines of all kinds": (b"2 2\ncat 1 2\r\n\rdog 3 4\r", TWO),
    "a byte-order mark": (b"\xef\xbb\xbf2 2\ncat 1 2\ndog 3 4\n", TWO),
    "a byte-order mark before a word": (b"\xef\xbb\xbfcat 1 2\ndog 3 4\n", TWO),
    "blank lines": (b"\n2 2\n\ncat 1 2\n \t\r\ndog 3 4\n\n\n", TWO),
    "tabs": (b"2\t2\ncat\t1\t2\ndog\t3\t4\n", TWO),
    "a tab behind the word": (b"cat\t1 2\ndog\t3 4\n", TWO),
    "several blanks": (b"2  2\n cat  1   2\ndog 3  4  \n", TWO),
    "numbers in other forms": (b"2 2\ncat 1e0 +2\ndog 3. 0.4E1\n", TWO),
    "blanks in words": (b"2 2\nnew york 1 2\n. . . 3 4\n", ["new york", ". . ."]),
    "blanks in words, no first line": (b". . . 1 2\nat a@b.org 3 4\n", [". . .", "at a@b.org"]),
    "words that are numbers": (b"2 2\n1 1 2\n3.5 3 4\n", ["1", "3.5"]),
    "a number in a word": (b"2 2\nroute 66 1 2\ncat 3 4\n", ["route 66", "cat"]),
    "capitals": (b"2 2\nCat 1 2\ncat 3 4\n", ["Cat", "cat"]),
    "other blanks": ("a\xa0b 1 2\nc\u2028d\x85 3 4\n".encode(), ["a\xa0b", "c\u2028d\x85"]),
    "accents apart": ("cafe\u0301 1 2\nmu\xadll 3 4\n".encode(), ["café", "mull"]),
    "marks and joiners": ("हिन्दी 1 2\nمی\u200cخوا 3 4\n".encode(), ["हिन्दी", "می\u200cخوا"]),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(("content", "expected"), READ.values(), ids=READ)
def test_lines_that_are_read(tmp_path, content, expected, packed):
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    model = read(path, lowercase=False)
    assert list(model.vocabulary_) == expected
    assert model.embedding_.tolist() == [[1, 2], [3, 4]]
    assert model.embedding_.dtype == np.float32 and model.n_components == 2


REFUSED = {
    "nothing": (b"", "it is empty"),
    "blank lines alone": (b"\n \n", "it is empty"),
    "a first line alone": (b"0 2\n", "it holds no words"),
    "too few": (b"2 2\ncat 1 2\n", "promises 2 words, but 1 follow"),
    "too many": (b"1 2\ncat 1 2\ndog 1 2\n", "promises 1 words, but 2 follow"),
    "a number too few": (b"2 2\ncat 1 2\ndog 3\n", "line 3 has 2 fields where a word and 2"),
    "the same without a first line": (b"cat 1 2\ndog 3\n", "line 2 has 2 fields where a word and"),
    "a number too many": (b"cat 1 2\ncow 3 4\ndog .3 .4 .5", "line 3 has more than 2 numbers"),
    "another length of all": (b"1 2\ncat 1 2 3\n", "promises 2 numbers a word, and line 2 has 3"),
    "a line without a word": (b"2 2\n 1 2\ncat 1 2\n", "line 2 has 2 fields"),
    "no numbers": (b"cat dog\n", "line 1 holds no numbers behind a word"),
    "other than numbers": (b"1 2\ncat 1 x\n", "line 2 holds something else than numbers"),
    "an underscore in a number": (b"1 2\ncat 1_0 2\n", "line 2 holds something else than numbers"),
    "the same without a first": (b"a_b 1 2\ncat 1 2_0\n", "line 2 holds something else than"),
    "behind old ends of lines": (b"2 2\rcat 1 2\rdog 3 x\r", "line 3 holds something else than"),
    "a vertical tab": (b"cat 1 2\x0bdog 3 4\n", r"line 1 holds the control character \\x0b"),
    "a form feed": (b"2 2\ncat 1 2\x0cdog 3 4\n", r"line 2 holds the control character \\x0c"),
    "between numbers": (b"cow 1 2\ncat 1\x1c2\n", r"line 2 holds the control character \\x1c"),
    "in a word": (b"2 2\ncow 1 2\nc\x00t 1 2\n", r"line 3 holds the control character \\x00"),
    "in a first line": (b"2\x0b2\ncow 1 2\ncat 1 2\n", r"line 1 h"),
    "on a line of its own": (b"cow 1 2\n\x0c\ncat 1 2\n", r"line 2 holds the control"),
    "behind a blank line": (b"2 2\n\n\ncat 1 x\n", "line 4 holds something else than numbers"),
    "not a number": (b"1 2\ncat 1 nan\n", "line 2, of 'cat', holds a number that is not finite"),
    "beyond float32": (b"2 2\ndog 1 2\ncat 1 1e60\n", "line 3, of 'cat', .* not finite as float32"),
    "binary": (b"1 2\ncat \xff\xfe\x00\x80", "line 2 is not text in UTF-8, perhaps word2vec's"),
    "one bad letter": (b"2 2\ncat 1 2\nd\xffg 1 2\n", "line 3 is not text in UTF-8"),
    "UTF-16": ("2 2\ncat 1 2\ndog 3 4\n".encode("utf-16"), "line 1 is not text in UTF-8"),
    "an archive": (b"PK\x03\x04rest", "a zip archive: unpack it"),
    "half of a gzip": (gzip.compress(b"cat 1 2\n" * 99)[:-20], "a damaged gzip file"),
    "a broken gzip": (b"\x1f\x8b" + b"x" * 50, "a damaged gzip file"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "match"), REFUSED.values(), ids=REFUSED)
def test_files_that_are_refused(tmp_path, content, match):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as caught:
        read(path)
    assert "\n" not in str(caught.value) and "vectors.txt" in str(caught.value)


CONTROL = "".join(map(chr, range(32)))


@pytest.mark.parametrize("word", ["a\x00b", "é\x7f", "a\x1b"])
def test_words_that_could_not_be_read_again_are_not_written(word, tmp_path):
    model = Word2VecVectorizer(2, min_count=1, sample=0, max_iter=1).fit([[word, "tea"]] * 3)
    with pytest.raises(ValueError, match="holds a control character: leave it out"):
        model.save_word2vec_format(tmp_path / "vectors.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.* give a word for the second time")
@settings(max_examples=50)
@given(st.data())
def test_any_words_come_back(tmp_path_factory, data):
    letters = st.characters(codec="utf-8", exclude_characters=f" \x7f\ufeff{CONTROL}")
    word = st.text(letters, min_size=1, max_size=5)
    words = data.draw(st.lists(word, min_size=1, max_size=5, unique=True))
    lines = [" ".join([w, *"123"]) for w in words]
    path = tmp_path_factory.getbasetemp() / "any.txt"
    for head in ([], [f"{len(words)} 3"]):
        path.write_text("\n".join([*head, *lines]), encoding="utf-8", newline="\n")
        expected = [composed(w) or w for w in words]
        assert read_word2vec(path)[0] == list(dict.fromkeys(expected))


def test_a_word_that_comes_twice(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("4 1\ncat 1\ndog 2\ncat 3\ncat 4\n")
    with pytest.warns(
        UserWarning, match=r"2 lines .* line 4 of 'cat', known from line 2"
    ) as caught:
        model = read(path)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert model.embedding_.tolist() == [[1], [2]]


LINES = "".join(f"w{i} {i} 0.5\n" for i in range(20_000))


@pytest.mark.parametrize("head", ["", "20000 2\n"])
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_features": 3}, ["w0", "w1", "w2"]),
        ({"max_features": 10**9}, None),
        ({"vocabulary": ["w19000", "w7"]}, ["w19000", "w7"]),
        ({"vocabulary": {"w7": 1, "w5": 0}}, ["w5", "w7"]),
    ],
    ids=str,
)
def test_words_that_are_wanted(tmp_path, head, params, expected):
    path = tmp_path / "vectors.txt"
    path.write_text(head + LINES)
    everything = expected is None
    expected = [f"w{i}" for i in range(20_000)] if everything else expected
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = read(path, **params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(model.vocabulary_) == expected
    assert model.embedding_[:, 0].tolist() == [int(word[1:]) for word in expected]
    # A thousand lines are looked at first; others are not kept.
    assert everything or peak < 600_000


def test_what_has_no_effect_on_reading_is_said(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 2\nParis 3 4\ncat 5 6\n")
    for params, match in (
        ({"vocabulary": ["cat", "cow", "hen"]}, "2 of the 3 words of vocabulary=, such as 'cow'"),
        ({"vocabulary": ["cat"], "max_features": 1}, "max_features has no effect"),
        ({"min_count": 1}, "min_count has no effect: a file holds no counts"),
        ({}, "1 of the 3 words of the file, such as 'Paris', .* type lowercase=False"),
    ):
        with pytest.warns(UserWarning, match=match):
            model = read(path, **{"lowercase": True, **params} if params else {})
        assert "cat" in model.vocabulary_
    with pytest.raises(ValueError, match="holds no word of vocabulary="):
        read(path, vocabulary=["cow"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for params in ({"lowercase": True}, {"lowercase": False}, {"max_features": 1}):
            read(path, **params)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_a_full_disk_leaves_the_vectors_before(tmp_path, name):
    path, link = tmp_path / name, tmp_path / f"link-{name}"
    small = Word2VecVectorizer(4, min_count=1, sample=0, max_iter=1).fit([["tea", "milk"]] * 3)
    large = Word2VecVectorizer(40, min_count=1, sample=0, max_iter=1).fit([[*map(str, range(99))]])
    small.save_word2vec_format(path)
    link.symlink_to(path)
    before = path.read_bytes()
    for target in (path, link):
        with full_disk(2000), pytest.raises(OSError, match="make room on the disk") as caught:
            large.save_word2vec_format(target)
        assert name in str(caught.value) and "\n" not in str(caught.value)
        assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    large.save_word2vec_format(link)
    assert link.is_symlink() and np.array_equal(read(path).embedding_, large.embedding_)
