"""Sentences of the domain: English wherever they go, and in another language where a page asks."""

import pickle

import pytest
from django.utils import translation as languages

from runs.errors import InvalidInput, NotFound
from runs.templatetags.studio import said
from runs.translation import translated
from runs.wording import chain, say


@pytest.fixture
def italian():
    with languages.override("it"):
        yield


def test_a_sentence_is_english_text():
    sentence = say("There is no run {run_id!r} in this workspace.", run_id="a_1")

    assert sentence == "There is no run 'a_1' in this workspace."
    assert pickle.loads(pickle.dumps(sentence)) == str(sentence)


def test_a_page_says_it_in_its_language(italian):
    sentence = say("There is no run {run_id!r} in this workspace.", run_id="a_1")

    assert translated(sentence) == "In quest'area di lavoro non c'è nessuna esecuzione 'a_1'."


def test_what_a_user_wrote_is_never_translated(italian):
    assert translated("Completed") == "Completed"
    assert translated("") == ""
    assert translated(say("Expected {expected}.", expected="{0} {x}")) == "Valore atteso: {0} {x}."


def test_sentences_in_sentences_and_thousands_are_translated_too(italian):
    inner = say("There is no step {name!r}{guess}", name="trian", guess=say("; did you mean {name!r}?", name="train"))
    whole = chain([inner, say("It is longer than {most:,} characters.", most=20_000)])

    assert whole == "There is no step 'trian'; did you mean 'train'? It is longer than 20,000 characters."
    assert translated(whole) == "Non c'è nessun passaggio 'trian'; intendevi 'train'? Supera i 20.000 caratteri."


def test_a_refusal_without_words_of_its_own_says_its_docstring(italian):
    assert str(NotFound()) == "There is no such thing, or it is not yours to see."
    assert said(NotFound()) == "Non c'è niente del genere, o non puoi vederlo."
    assert said(InvalidInput("as the user typed it")) == "as the user typed it"
