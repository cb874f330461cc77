"""Text becomes a tree, a tree prints as one text, and a mistake is pointed at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import limits
from runs.search import grammar, nodes
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import And, Not, Operator, Or, Range, Term, Value, Word


def term(path, operator, *values):
    return Term(tuple(path.split(".")), Operator(operator), values)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", nodes.EVERYTHING),
        ("  ", nodes.EVERYTHING),
        ("bert", Word("bert")),
        ('"great run"', Word("great run")),
        (r'"a \"quoted\" \\ word"', Word('a "quoted" \\ word')),
        ("bert large", And((Word("bert"), Word("large")))),
        ("bert AND large", And((Word("bert"), Word("large")))),
        ("a b OR c", Or((And((Word("a"), Word("b"))), Word("c")))),
        ("a (b OR c)", And((Word("a"), Or((Word("b"), Word("c")))))),
        ("((a (b c)))", And((Word("a"), Word("b"), Word("c")))),
        ("-a", Not(Word("a"))),
        ("NOT NOT a", Word("a")),
        ("-(a b)", Not(And((Word("a"), Word("b"))))),
        ("and or not", And((Word("and"), Word("or"), Word("not")))),
        ("ORange", Word("ORange")),
        ('"OR"', Word("OR")),
        ("learning-rate", Word("learning-rate")),
        ("status:failed", term("status", ":", Value("failed"))),
        ("status:failed, canceled", term("status", ":", Value("failed"), Value("canceled"))),
        ('tags.quality:"great run"', term("tags.quality", ":", Value("great run"))),
        ('tags."my key":x', Term(("tags", "my key"), Operator.MATCHES, (Value("x"),))),
        ("tags.model:bert*", term("tags.model", ":", Value("bert*", is_pattern=True))),
        ('tags.model:"bert*"', term("tags.model", ":", Value("bert*"))),
        ("number:>5", term("number", ">", Value("5"))),
        ("params.lr >= 1e-3", term("params.lr", ">=", Value("1e-3"))),
        ("params.shift:-5", term("params.shift", ":", Value("-5"))),
        ("params.lr!=0.1", term("params.lr", "!=", Value("0.1"))),
        ("metrics.loss.min<0.2", term("metrics.loss.min", "<", Value("0.2"))),
        ("created:2026-11-01..2026-11-23", term("created", ":", Range("2026-11-01", "2026-11-23"))),
        ("number:5..", term("number", ":", Range("5", ""))),
        ("created:2026-11-01T10:00", term("created", ":", Value("2026-11-01T10:00"))),
        ("-parent:none", Not(term("parent", ":", Value("none")))),
    ],
)
def test_a_query_is_read_as_its_tree(text, tree):
    assert grammar.parse(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "length", "message"),
    [
        ('a "great run', 2, 10, "this quotation mark is never closed at 3"),
        ("(a b", 4, 1, "the query breaks off at 5"),
        ("a b)", 3, 1, "unexpected ')' at 4"),
        ("a OR", 4, 1, "expected a word, a field such as status:"),
        ("status:", 7, 1, "expected a value"),
        ("status:>", 8, 1, "expected a value"),
        ("a - b", 2, 1, "unexpected '-' at 3"),
        ("()", 1, 1, "unexpected ')' at 2"),
        ('tags."":x', 0, 7, "an empty key at 1"),
        ('""', 0, 2, "an empty text at 1"),
        ("number:1..2..3", 7, 7, "'1..2..3' is no range at 8"),
        ("number>1..2", 7, 4, "a range after a comparison at 8"),
        ("=3", 0, 1, "unexpected '=' at 1"),
        ("a\0b", 1, 1, "a null character at 2"),
    ],
)
def test_a_mistake_is_pointed_at(text, position, length, message):
    with pytest.raises(QuerySyntaxError) as caught:
        grammar.parse(text)

    assert (caught.value.position, caught.value.length) == (position, length)
    assert message in caught.value.message
    assert caught.value.field == "query"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * (limits.QUERY_LENGTH + 1), "longer than 4000 characters"),
        ("a " * (limits.QUERY_TERMS + 1), "more than 100 terms"),
        ("(a OR (b " * limits.QUERY_DEPTH + "c" + "))" * limits.QUERY_DEPTH, "nested deeper than 20 levels"),
    ],
)
def test_a_query_has_limits(text, message):
    with pytest.raises(QuerySyntaxError, match=message):
        grammar.parse(text)


def test_thousands_of_needless_brackets_do_no_harm():
    assert grammar.parse("(" * 1_900 + "a" + ")" * 1_900) == Word("a")


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip()
)
ends = st.text("abc019-:T", min_size=1, max_size=6)
values = st.one_of(
    texts.map(Value),
    st.text("ab*", min_size=1, max_size=5).filter(lambda text: "*" in text).map(lambda text: Value(text, True)),
    st.builds(Range, ends, st.one_of(ends, st.just(""))),
)
# MLflow's filters alone have these; the search bar has no signs for them.
OF_MLFLOW = {Operator.IS, Operator.IS_NOT, Operator.LIKE, Operator.ILIKE}
terms = st.one_of(
    st.builds(
        lambda field, keys, given: Term((field, *keys), Operator.MATCHES, tuple(given)),
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]{0,8}", fullmatch=True),
        st.lists(texts, max_size=3),
        st.lists(values, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, operator, value: Term(("params", key), operator, (value,)),
        texts,
        st.sampled_from([sign for sign in Operator if sign is not Operator.MATCHES and sign not in OF_MLFLOW]),
        texts.map(Value),
    ),
)
trees = st.recursive(
    st.one_of(texts.map(Word), terms),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(nodes.all_of),
        st.lists(inner, min_size=1, max_size=4).map(nodes.any_of),
        inner.map(nodes.negation),
    ),
    max_leaves=12,
)


@given(trees)
def test_every_tree_prints_as_a_query_that_parses_to_it(tree):
    assert grammar.parse(nodes.to_text(tree)) == tree


scraps = st.sampled_from([*'ab"():<>=!,-. *\\', "status:", "tags.", " OR ", " AND ", "NOT "])


@given(st.lists(scraps, max_size=30).map("".join))
def test_any_text_is_a_query_with_one_spelling_or_has_a_mistake_within_it(text):
    spelled, mistake = None, None
    try:
        spelled = nodes.to_text(grammar.parse(text))
    except QuerySyntaxError as error:
        mistake = error

    assert mistake is None or 0 <= mistake.position <= len(text)
    assert spelled is None or nodes.to_text(grammar.parse(spelled)) == spelled
