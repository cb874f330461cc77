"""The language of the search bar: text to tree. Pure: knows neither fields nor tables."""

import re
from collections.abc import Iterable

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from runs import limits
from runs.errors import InvalidInput
from runs.search import nodes
from runs.search.nodes import Node, Operator, Span
from runs.wording import chain, say

# AND, OR and NOT are words of the language in capitals only. A field is known by the operator
# that follows it; a key that holds more than letters is quoted: tags."my key":x.
_GRAMMAR = r"""
start: or_expr?
?or_expr: and_expr (OR and_expr)*            -> any_of
?and_expr: _unary (AND? _unary)*             -> all_of
_unary: negated | group | term | word
negated: (NOT | MINUS) _unary
group: "(" or_expr ")"
term: FIELD COLON value (COMMA value)*       -> matches
    | FIELD COLON COMPARISON value           -> compares
    | FIELD COMPARISON value                 -> compares
value: VALUE | STRING
word: WORD | STRING

AND.3: /AND(?![^\s()"])/
OR.3: /OR(?![^\s()"])/
NOT.3: /NOT(?![^\s()"])/
MINUS: /-(?=\S)/
FIELD.2: /[A-Za-z_][\w\-]*(?:\.(?:[^\s"()<>=:!,.\\]+|"(?:[^"\\]|\\.)*"))*(?=\s*(?:[:<>=]|!=))/
COLON: ":"
COMPARISON: />=|<=|!=|=|>|</
COMMA.4: ","
VALUE: /[^\s"(),<>=!][^\s"(),]*/
STRING: /"(?:[^"\\]|\\.)*"/
WORD.1: /[^\s"()<>=:,\-][^\s"()<>=:]*/
%ignore /\s+/
"""

_PHRASES = {
    "AND": "AND",
    "OR": "OR",
    "NOT": "NOT",
    "MINUS": "-",
    "FIELD": say("a field such as status:"),
    "WORD": say("a word"),
    "STRING": say("a quoted text"),
    "VALUE": say("a value"),
    "LPAR": "(",
    "RPAR": ")",
    "COLON": ":",
    "COMMA": ",",
    "COMPARISON": say("one of < <= > >= = !="),
    "$END": say("the end"),
}


class QuerySyntaxError(InvalidInput):
    """The query cannot be read.

    `position` counts characters from 0 and `length` says how many are at fault; the
    message counts from 1, as people do. `suggestion` is the nearest name that exists.
    """

    code = "bad_query"

    def __init__(
        self, problem: str, *, span: Span = nodes.NOWHERE, suggestion: str = "", expected: Iterable[str] = ()
    ) -> None:
        where = span.position + 1
        message = say("{problem} at {where}", problem=problem, where=where)
        self.expected = tuple(expected)
        if suggestion:
            message = chain([message, say("; did you mean {name!r}?", name=suggestion)], between="")
        elif self.expected:
            message = chain(
                [message, say("; expected {phrases}", phrases=chain(self.expected, between=", "))], between=""
            )
        super().__init__(message, field="query")
        self.position, self.length, self.suggestion = span.position, span.length, suggestion


def parse(text: str) -> Node:
    """Return the tree of `text`; an empty text is met by everything. Raises QuerySyntaxError."""
    if len(text) > limits.QUERY_LENGTH:
        span = Span(limits.QUERY_LENGTH, len(text) - limits.QUERY_LENGTH)
        raise QuerySyntaxError(say("the query is longer than {most} characters", most=limits.QUERY_LENGTH), span=span)
    if "\0" in text:
        raise QuerySyntaxError(say("a null character"), span=Span(text.index("\0"), 1))
    try:
        tree: Node = _PARSER.parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    except VisitError as error:
        raise error.orig_exc from None
    if len(nodes.leaves(tree)) > limits.QUERY_TERMS:
        raise QuerySyntaxError(say("more than {most} terms", most=limits.QUERY_TERMS), span=Span(0, len(text)))
    return tree


class _ToNodes(Transformer[Token, Node]):
    """Builds the tree as the parser reduces, without recursion of its own."""

    def start(self, parts: list[Node]) -> Node:
        return parts[0] if parts else nodes.EVERYTHING

    def any_of(self, parts: list[Node | Token]) -> Node:
        return _shallow(nodes.any_of([part for part in parts if not isinstance(part, Token)]))

    def all_of(self, parts: list[Node | Token]) -> Node:
        return _shallow(nodes.all_of([part for part in parts if not isinstance(part, Token)]))

    def negated(self, parts: list[Node]) -> Node:
        return _shallow(nodes.negation(parts[1]))

    def group(self, parts: list[Node]) -> Node:
        return parts[0]

    def word(self, parts: list[Token]) -> Node:
        [token] = parts
        return nodes.Word(_text_of(token), _span_of(token))

    def matches(self, parts: list) -> Node:
        field, values = parts[0], [part for part in parts[2:] if not isinstance(part, Token)]
        return nodes.Term(_path_of(field), Operator.MATCHES, tuple(values), _span_of(field))

    def compares(self, parts: list) -> Node:
        field, comparison, value = parts[0], parts[-2], parts[-1]
        if isinstance(value, nodes.Range):
            raise QuerySyntaxError(say("a range after a comparison"), span=value.span, expected=[":"])
        return nodes.Term(_path_of(field), Operator(comparison), (value,), _span_of(field))

    def value(self, parts: list[Token]) -> nodes.Value | nodes.Range:
        [token] = parts
        text, span = _text_of(token), _span_of(token)
        if token.type == "STRING":
            return nodes.Value(text, span=span)
        low, dots, high = text.partition("..")
        if dots:
            if not (low or high) or ".." in high:
                raise QuerySyntaxError(
                    say("'{text}' is no range", text=text), span=span, expected=[say("two values such as 1..5")]
                )
            return nodes.Range(low, high, span)
        return nodes.Value(text, "*" in text, span)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PATH_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^".]+)', re.DOTALL)


def _text_of(token: Token) -> str:
    if token.type != "STRING":
        return str(token)
    text = _ESCAPE.sub(r"\1", token[1:-1])
    if not text.strip():
        raise QuerySyntaxError(say("an empty text"), span=_span_of(token))
    return text


def _path_of(token: Token) -> tuple[str, ...]:
    path = tuple(
        _ESCAPE.sub(r"\1", match[1]) if match[1] is not None else match[2] for match in _PATH_PART.finditer(token)
    )
    if not all(path):
        raise QuerySyntaxError(say("an empty key"), span=_span_of(token))
    return path


def _span_of(token: Token) -> Span:
    return Span(token.start_pos or 0, len(token))


def _shallow(node: Node) -> Node:
    if nodes.depth(node) > limits.QUERY_DEPTH:
        raise QuerySyntaxError(say("brackets nested deeper than {most} levels", most=limits.QUERY_DEPTH))
    return node


def _explain(error: UnexpectedInput, text: str) -> QuerySyntaxError:
    """Return what `error` means to somebody who typed `text`."""
    position = error.pos_in_stream if isinstance(error.pos_in_stream, int) and error.pos_in_stream >= 0 else len(text)
    if isinstance(error, UnexpectedToken):
        accepted, found = error.accepts or error.expected, error.token
        at_end = found.type == "$END"
        span = Span(len(text), 1) if at_end else Span(position, len(found))
        problem = say("the query breaks off") if at_end else say("unexpected '{text}'", text=str(found))
    else:
        accepted = error.allowed if isinstance(error, UnexpectedCharacters) else set()
        span = Span(position, 1)
        problem = say("unexpected '{text}'", text=text[position : position + 1])
        if text[position : position + 1] == '"':
            return QuerySyntaxError(
                say("this quotation mark is never closed"), span=Span(position, len(text) - position)
            )
    if {"VALUE", "STRING"} <= set(accepted) and "WORD" not in accepted:
        return QuerySyntaxError(problem, span=span, expected=[_PHRASES["VALUE"]])
    if "WORD" in accepted:
        return QuerySyntaxError(problem, span=span, expected=[_PHRASES["WORD"], _PHRASES["FIELD"]])
    return QuerySyntaxError(problem, span=span, expected=sorted(_PHRASES.get(name, name) for name in accepted))


_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_ToNodes(), maybe_placeholders=False)
