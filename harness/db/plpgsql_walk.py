"""A walk over the tokens of a PL/pgSQL body: where its statements begin, and what is inside what.

It knows just enough of the grammar (PostgreSQL manual, chapter "PL/pgSQL"; the server's pl_gram.y and pl_scanner.c) to
tell statements apart. It checks nothing else: ``harness.db.plpgsql`` holds it against PostgreSQL's own parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pglast.parser import ParseError, scan


class UnreadableError(Exception):
    """The source was not read to its end, or two readings of it differ. ``str()`` is the reason."""


class Token(NamedTuple):
    """A token that is no comment: its text in lower case (a quoted name still has its quotes) and its place."""

    word: str
    start: int
    end: int


class Declared(NamedTuple):
    """What a block declares at ``offset``: its name as it is written, the words of its type, what it is set to first.

    An alias and a cursor have no type here.
    """

    name: str
    offset: int
    type: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A list of statements (NULL statements left out). ``end`` is the offset of the keyword that ends it."""

    statements: tuple[Statement, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a routine.

    ``kind`` is PostgreSQL's own name (``execsql``, ``fors``, ...: ``PLpgSQL_stmt_<kind>``); ``line`` counts from 1, as
    in the context of an error; ``source[start:end]`` is the statement with its label, a compound one up to its first
    THEN, LOOP or BEGIN, before its first WHEN. ``bodies`` are the lists of statements inside it in the order of the
    source: of a block first its own, then those of its handlers. ``declared`` is what a block declares. ``node`` is
    what PostgreSQL's parser says of the statement.
    """

    kind: str
    start: int
    end: int
    line: int
    bodies: tuple[Body, ...] = ()
    declared: tuple[Declared, ...] = ()
    node: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def defaults(self) -> tuple[str, ...]:
        """The expressions that a block evaluates on entry."""
        return tuple(item.default for item in self.declared if item.default)

    def all(self) -> Iterator[Statement]:
        """This statement and every one inside it, in the order of the source."""
        yield self
        for body in self.bodies:
            for statement in body.statements:
                yield from statement.all()


def tokens(source: str) -> list[Token]:
    """The tokens of a text of SQL or PL/pgSQL, comments left out. Raises UnreadableError."""
    try:
        found = scan(source)
    except ParseError as error:
        raise UnreadableError(str(error.args[0])) from error
    return [
        Token(source[token.start : token.end + 1].lower(), token.start, token.end + 1)
        for token in found
        if token.name not in ("SQL_COMMENT", "C_COMMENT")
    ]


_SIMPLE = {
    "assert": "assert",
    "call": "call",
    "close": "close",
    "commit": "commit",
    "continue": "exit",
    "do": "call",
    "execute": "dynexecute",
    "exit": "exit",
    "fetch": "fetch",
    "get": "getdiag",
    "move": "fetch",
    "open": "open",
    "perform": "perform",
    "raise": "raise",
    "return": "return",
    "rollback": "rollback",
}
"""First word to kind, of the statements that go on to the next semicolon. Any other word begins a statement of SQL."""

_COMPOUND = ("<<", "begin", "declare", "for", "foreach", "loop", "while")
"""What begins a statement that can have a label."""

_NO_NAME = {
    "begin",
    "case",
    "declare",
    "else",
    "end",
    "execute",
    "for",
    "foreach",
    "if",
    "loop",
    "null",
    "when",
    "while",
}
"""Reserved words: never the name of a variable."""


class Walk:
    """Recursive descent over the tokens of one body. Raises UnreadableError where the grammar has something else."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._next = 0
        self._options: list[tuple[int, int, str]] = []
        self._types: list[tuple[str, int, int]] = []
        self._rows: set[str] = set()

    def routine(self) -> Statement:
        """The outermost block. A loop is of the kind ``for`` where only the declarations can tell which of the four."""
        while self._word() == "#":
            # An option such as #print_strict_params on. libpg_query would obey "#option dump" and print.
            first = self._take("#")
            self._next += 2
            self._options.append((first.start, self._place(-1), ""))
        block = self._labelled(self._place())
        if block.kind != "block":
            raise UnreadableError(f"the body begins with {block.kind}, not with a block")
        if self._word():
            raise UnreadableError(f"line {self._line()} has {self._word()} after the end of the body")
        return block

    def plain_source(self) -> str:
        """The source for a parser that has no catalog: every line as it was, but all types known. After ``routine``."""
        self._find_rows()
        types = [(start, end, self._plain_type(name, start, end)) for name, start, end in self._types]
        source = self._source
        for start, end, plain in sorted(self._options + types, reverse=True):
            source = source[:start] + plain + "\n" * source.count("\n", start, end) + source[end:]
        return source

    def _plain_type(self, name: str, start: int, end: int) -> str:
        """A type that the parser takes for the same purposes: row, cursor, array or scalar."""
        words = [token.word for token in self._tokens if start <= token.start < end]
        words = words[: words.index("collate")] if "collate" in words else words
        if words[-1:] == ["]"] or "array" in words:
            return "int4[] "
        if words[-1:] == ["refcursor"]:
            return "refcursor "
        is_row = words == ["record"] or words[-2:] == ["%", "rowtype"] or name in self._rows
        return "record " if is_row else "int4 "

    def _find_rows(self) -> None:
        """The names with a field that a value is put into: rows, whatever their types are called."""
        words = [token.word for token in self._tokens] + ["", "", ""]
        for index, word in enumerate(words):
            if word in ("into", "for", "diagnostics", ","):
                index += 2 if words[index + 1] == "strict" else 1
                if words[index + 1] == ".":
                    self._rows.add(words[index])

    # -- tokens -----------------------------------------------------------------------------------------------

    def _word(self, ahead: int = 0) -> str:
        """The text of the next token, or of one ``ahead`` of it; empty after the last."""
        index = self._next + ahead
        return self._tokens[index].word if index < len(self._tokens) else ""

    def _place(self, ahead: int = 0) -> int:
        """The offset of the next token; with -1 the end of the one before."""
        index = self._next + ahead
        if index >= len(self._tokens):
            return len(self._source)
        return self._tokens[index].start if ahead >= 0 else self._tokens[index].end

    def _line(self) -> int:
        return self._source.count("\n", 0, self._place()) + 1

    def _skip_to(self, *stops: str) -> int:
        """Go to the first token outside of parentheses that is one of ``stops``; its offset."""
        depth = 0
        while word := self._word():
            if depth == 0 and word in stops:
                return self._place()
            depth += (word in ("(", "[")) - (word in (")", "]"))
            self._next += 1
        raise UnreadableError(f"the body ends before {' or '.join(stops)}")

    def _take(self, *words: str) -> Token:
        if not self._word() or self._word() not in words:
            raise UnreadableError(
                f"line {self._line()} has {self._word() or 'its end'} instead of {' or '.join(words)}"
            )
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip_over(self, *stops: str) -> Token:
        self._skip_to(*stops)
        return self._take(*stops)

    def _is_target(self) -> bool:
        """Whether a variable that gets a value stands here, at the start of a statement: nearly any name can be one."""
        return self._word() not in _NO_NAME and self._word(1) in (":=", "=", "[", ".")

    # -- statements -------------------------------------------------------------------------------------------

    def _body(self, *ends: str) -> Body:
        statements = []
        while self._is_target() or self._word() not in ends:
            if self._word() == "null" and self._word(1) == ";":
                self._next += 2
            else:
                statements.append(self._statement())
        return Body(tuple(statements), self._place())

    def _statement(self) -> Statement:
        word = self._word()
        if not word:
            raise UnreadableError("the body ends inside a block")
        if self._is_target():
            if self._word(1) == ".":
                self._rows.add(word)
            return self._simple("assign")
        if word in _COMPOUND:
            return self._labelled(self._place())
        if word == "if":
            return self._if()
        if word == "case":
            return self._case()
        if word == "return" and self._word(1) in ("next", "query"):
            return self._simple(f"return_{self._word(1)}")
        if word in _SIMPLE:
            return self._simple(_SIMPLE[word])
        is_or_replace = (self._word(1), self._word(2)) == ("or", "replace")
        if word == "create" and self._word(3 if is_or_replace else 1) in ("function", "procedure"):
            return self._create_routine()
        return self._simple("execsql")

    def _simple(self, kind: str) -> Statement:
        start, line = self._place(), self._line()
        return Statement(kind, start, self._skip_over(";").end, line)

    def _create_routine(self) -> Statement:
        start, line = self._place(), self._line()
        depth = 0  # of BEGIN ATOMIC, with semicolons inside
        while True:
            token = self._skip_over("begin", "case", "end", ";")
            if token.word == ";" and depth == 0:
                return Statement("execsql", start, token.end, line)
            if token.word == "begin" or (token.word == "case" and depth):
                depth += 1
            elif token.word == "end" and depth:
                depth -= 1

    def _if(self) -> Statement:
        start, line = self._place(), self._line()
        end = self._skip_over("then").end
        bodies = [self._body("elsif", "elseif", "else", "end")]
        while (word := self._take("elsif", "elseif", "else", "end").word) != "end":
            if word != "else":
                self._skip_over("then")
            bodies.append(self._body("elsif", "elseif", "else", "end"))
        self._take("if")
        self._take(";")
        return Statement("if", start, end, line, tuple(bodies))

    def _case(self) -> Statement:
        start, line = self._place(), self._line()
        self._take("case")
        self._skip_to("when")
        end = self._place(-1)
        bodies = []
        while (word := self._take("when", "else", "end").word) != "end":
            if word == "when":
                self._skip_over("then")
            bodies.append(self._body("when", "else", "end"))
        self._take("case")
        self._take(";")
        return Statement("case", start, end, line, tuple(bodies))

    def _labelled(self, start: int) -> Statement:
        if self._word() == "<<":
            self._next += 2
            self._take(">>")
        if self._word() in ("declare", "begin"):
            return self._block(start)
        line = self._line()
        word = self._take("for", "foreach", "loop", "while").word
        end = self._place(-1) if word == "loop" else self._skip_over("loop").end
        body = self._body("end")
        self._take("end")
        self._take("loop")
        self._skip_over(";")
        return Statement("foreach_a" if word == "foreach" else word, start, end, line, (body,))

    def _block(self, start: int) -> Statement:
        declared = tuple(self._declarations())
        line = self._line()
        end = self._take("begin").end
        bodies = [self._body("exception", "end")]
        if self._word() == "exception":
            self._next += 1
            while self._word() == "when":
                self._skip_over("then")
                bodies.append(self._body("when", "end"))
        self._take("end")
        self._next += self._word() not in (";", "")  # a label
        if self._word():
            self._take(";")
        return Statement("block", start, end, line, tuple(bodies), declared)

    def _declarations(self) -> Iterator[Declared]:
        """Skips what stands before BEGIN."""
        while self._word() == "declare":
            self._next += 1
            while self._word() not in ("begin", "declare"):
                yield self._declaration()
                self._take(";")

    def _declaration(self) -> Declared:
        word, offset = self._word(), self._place()
        self._next += 1
        name = self._source[offset : self._place(-1)]
        following = (self._word(), self._word(1))
        if following[0] in ("alias", "cursor") or following in (("scroll", "cursor"), ("no", "scroll")):
            self._skip_to(";")
            return Declared(name, offset)
        if following[0] == "constant":
            self._next += 1
        first, start = self._next, self._place()
        self._types.append((word, start, self._skip_to("not", "default", ":=", "=", ";")))
        words = tuple(token.word for token in self._tokens[first : self._next])
        self._skip_to("default", ":=", "=", ";")
        if self._word() == ";":
            return Declared(name, offset, words)
        self._next += 1
        default = self._place()
        return Declared(name, offset, words, self._source[default : self._skip_to(";")])
