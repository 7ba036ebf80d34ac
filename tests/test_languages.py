"""Words of all languages: letters with marks, scripts without spaces, accents, long words."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer

from skcontrast import (
    ContrastiveTextEncoder,
    PhraseTransformer,
    Sent2VecVectorizer,
    Word2VecVectorizer,
)
from skcontrast._inputs.documents import analyzed
from skcontrast._inputs.word_breaks import words_of
from skcontrast._inputs.word_features import MAX_LENGTH, word_features

SMALL = {"n_components": 4, "min_count": 1, "sample": 0, "max_iter": 1, "random_state": 0}
ESTIMATORS = [
    Word2VecVectorizer(**SMALL),
    Sent2VecVectorizer(**SMALL, subwords=True),
    ContrastiveTextEncoder(8, max_iter=1, random_state=0),
]
# Spaces stand between the words of each text.
SPACED = {
    "Hindi": "यह हिन्दी है और मानक व्याकरण की भाषा",
    "Bengali": "ভৌতিক গল্প পড়তে চাইলে",
    "Tamil": "தமிழ் மொழி மிகவும் பழமையானது",
    "Telugu": "తెలుగు భాష చాలా మధురం",
    "Malayalam": "മലയാളം എന്റെ ഭാഷ",
    "Arabic with vowels": "كَتَبَ الوَلَدُ دَرْسَهُ",
    "Hebrew with points": "שָׁלוֹם עוֹלָם",
    "Persian": "می\u200cخواهم کتاب\u200cها را",
    "Vietnamese": "tiếng Việt rất đẹp",
    "Yoruba": "ẹ̀kọ́ àwọn ọmọdé",
    "Greek": "Καλημέρα κόσμε",
    "Korean": "한국어를 배우는 사람들",
    "Turkish in lower case": "İstanbul çok güzel".lower(),
    "Chinese in words": "我 喜欢 机器 学习 模型",
    "Japanese in words": "私 は 学生 です",
    "Thai in words": "ภาษา ไทย ง่าย มาก",
}
UNSPACED = {
    "Chinese": ("我喜欢机器学习模型。", "我喜欢机器学习模具。"),
    "Japanese": ("私は東京で働いています", "私は京都で働いています"),
    "Thai": ("วันนี้อากาศดีมากไปเที่ยวทะเล", "วันนี้อากาศดีมากไปเที่ยวภูเขา"),
    "Lao": ("ຂ້ອຍມັກອ່ານປຶ້ມ", "ຂ້ອຍມັກອ່ານຂ່າວ"),
    "Burmese": ("ကျွန်တော်စာဖတ်တယ်", "ကျွန်တော်စာရေးတယ်"),
    "Khmer": ("ខ្ញុំចូលចិត្តអានសៀវភៅ", "ខ្ញុំចូលចិត្តអានកាសែត"),
}


@pytest.mark.parametrize("text", SPACED.values(), ids=SPACED)
def test_words_between_spaces_stay_whole(text):
    assert words_of(text) == text.split()
    assert words_of(f"«{text}», 5!") == [*text.split(), "5"]
    letters = {word for word in text.split() if len(word) > 1 or "\u3041" <= word}
    assert set(words_of(text, shortest=2)) == letters


@pytest.mark.parametrize("texts", UNSPACED.values(), ids=UNSPACED)
def test_texts_without_spaces_are_cut_into_pieces(texts):
    pieces = [words_of(text, shortest=2) for text in texts]
    for text, words in zip(texts, pieces):
        assert len(words) > 4 and max(map(len, words)) < 12
        assert all(word in text for word in words)
        assert set("".join(words)) == set(text) - {"。"}
    assert set(pieces[0]) & set(pieces[1]) and set(pieces[0]) != set(pieces[1])
    for estimator in ESTIMATORS:
        Z = clone(estimator).fit_transform(texts)
        assert Z.any(axis=1).all() and not np.allclose(Z[0], Z[1])


def test_scripts_within_one_text():
    assert words_of("2024年我用Python学习 NLP") == ["2024", "年我", "我用", "Python", "学习", "NLP"]
    assert words_of("年 a", shortest=2) == ["年"]
    # A space between two clauses is none between words.
    assert words_of("今天下雨温度很低 股票市场正在上涨")[:2] == ["今天", "天下"]


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_as_in_scikit_learn(text):
    assert words_of(text, shortest=2) == CountVectorizer(lowercase=False).build_analyzer()(text)
    assert words_of(text + "é")[:-1] == words_of(text + " é")[: len(words_of(text + "é")) - 1]


@given(st.text())
def test_every_letter_and_digit_is_in_a_word(text):
    words = words_of(text)
    assert {c for word in words for c in word} >= {c for c in text if c.isalnum()}
    assert all(word and unicodedata.category(word[0])[0] != "M" for word in words)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_the_same_however_they_were_typed(form):
    texts = ["Café crème à la carte", "tiếng Việt rất đẹp", "ガラス の 窓"]
    as_typed = [unicodedata.normalize(form, text) for text in texts]
    for params in (
        {},
        {"token_pattern": r"\S+"},
        {"stop_words": [unicodedata.normalize("NFD", "crème")]},
        {"analyzer": "char_wb"},
        {"tokenizer": str.split},
    ):
        model = PhraseTransformer(**params)
        assert analyzed(as_typed, model) == analyzed(texts, model)
    assert not any("crème" in t for t in analyzed(texts, PhraseTransformer(stop_words=["crème"])))
    plain = analyzed(as_typed, PhraseTransformer(preprocessor=str.lower, token_pattern=r"\S+"))
    assert plain[0][0] == "café"
    for estimator in ESTIMATORS:
        model = clone(estimator).fit(texts)
        assert np.array_equal(model.transform(as_typed), model.transform(texts))
        if hasattr(model, "word_vectors"):
            typed = unicodedata.normalize(form, "café")
            assert np.array_equal(model.word_vectors(typed), model.word_vectors("café"))


FORMS = [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")]


@pytest.mark.parametrize(("typed", "met"), FORMS)
@pytest.mark.parametrize("split", [False, True], ids=["texts", "tokens"])
@pytest.mark.parametrize("kind", [list, set, dict])
def test_given_words_are_met_however_they_were_typed(typed, met, split, kind, tmp_path):
    words = ["café", "crème", "tiếng"]
    rows = {unicodedata.normalize(typed, word): row for row, word in enumerate(words)}
    documents = [unicodedata.normalize(met, "café crème tiếng carte")] * 3
    documents = [d.split() for d in documents] if split else documents
    params = {"n_components": 2, "sample": 0, "max_iter": 1, "vocabulary": kind(rows)}
    model = Word2VecVectorizer(**params).fit(documents)
    assert list(model.vocabulary_) == words and model.counts_.tolist() == [3, 3, 3]
    free = Word2VecVectorizer(**params | {"vocabulary": None, "min_count": 1}).fit(documents)
    assert "café" in free.vocabulary_
    for fitted, kept in ((model, {}), (free, {}), (free, {"vocabulary": kind(rows)})):
        path = tmp_path / "vectors.txt"
        fitted.save_word2vec_format(path)
        read = Word2VecVectorizer.from_word2vec_format(path, **kept)
        assert set(words) <= set(read.vocabulary_)
        if not kept:
            np.testing.assert_array_equal(read.transform(documents), fitted.transform(documents))


@pytest.mark.parametrize(("typed", "met"), FORMS)
def test_connectors_are_met_however_they_were_typed(typed, met):
    documents = [unicodedata.normalize(met, "pain à café").split()] * 20
    connectors = [unicodedata.normalize(typed, "à")]
    model = PhraseTransformer(min_count=1, threshold=1e-9, connector_words=connectors)
    assert model.fit_transform(documents)[0] == ["pain_à_café"]


@settings(max_examples=30)
@given(st.integers(MAX_LENGTH - 1, 300), st.data())
def test_long_words_that_differ_anywhere_are_different(length, data):
    letters = st.characters(codec="utf-8", exclude_characters="\0")
    word = data.draw(st.text(letters, min_size=length, max_size=length))
    place = data.draw(st.integers(0, length - 1))
    other = word[:place] + ("a" if word[place] != "a" else "b") + word[place + 1 :]
    first, second, longer = word_features([word, other, word + "a"])
    assert len({first[0], second[0], longer[0]}) == 3
    assert np.array_equal(first, word_features([word])[0])


@pytest.mark.parametrize("middle", [("volcano", "cheeses"), ("二三", "四五")])
def test_texts_of_one_long_word_each_are_different(middle):
    texts = [f"{'https://x.org/' * 4}{part}{'/index.html' * 4}" for part in middle]
    model = ContrastiveTextEncoder(8, max_iter=1, token_pattern=r"\S+", random_state=0)
    Z = model.fit_transform(texts * 3)
    assert np.abs(Z[0] - Z[1]).max() > 1e-3


def test_soft_hyphens_are_no_part_of_a_word():
    for params in ({}, {"token_pattern": r"\S+"}):
        texts = ["Donau\xaddampf\xadschiff fährt", "Donaudampfschiff fährt"]
        first, second = analyzed(texts, PhraseTransformer(**params))
        assert first == second == ["donaudampfschiff", "fährt"]


def test_a_pattern_that_was_typed_is_taken_as_in_scikit_learn():
    pattern = r"(?u)\b\w\w+\b"
    for text in SPACED.values():
        (tokens,) = analyzed([text], PhraseTransformer(token_pattern=pattern))
        text = unicodedata.normalize("NFC", text)
        assert tokens == CountVectorizer(token_pattern=pattern).build_analyzer()(text)
