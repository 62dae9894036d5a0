"""Reader of Renode's platform description format (``.repl``): text in, entries out.

Mirrors Renode's ``Grammar``. What the grammar does not know is an error with file, line and
column; nothing is skipped.
"""

from __future__ import annotations

import re
from typing import NoReturn

from predictor.emulation.platform.repl_layout import LONG_STRING, STRING, braced, fail_at
from predictor.emulation.platform.repl_syntax import (
    Assignment,
    Attribute,
    Commands,
    Description,
    Dictionary,
    Entry,
    EnumValue,
    Interrupt,
    NewObject,
    Range,
    Reference,
    RegistrationPoint,
    Value,
)

_VALUE_KEYWORDS = frozenset({"new", "true", "True", "false", "False"})
_KEYWORDS = _VALUE_KEYWORDS | {"using", "as", "preinit", "init", "reset", "local", "none", "empty"}
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?(0x[0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*|[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)")
_MONITOR_STATEMENT = re.compile(r'(?:[^;{}"]|"(?:[^"\\]|\\["\\])*")*')


def parse_description(text: str, source: str) -> Description:
    """Parses one ``.repl`` file.

    Raises:
        PlatformError: the text is not in the format; names ``source``, line and column.
    """
    return _Parser(braced(text, source), source).description()


class _Parser:
    """Recursive descent over the braced text; one method a rule of Renode's grammar."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._position = 0

    def description(self) -> Description:
        usings: list[tuple[str, int]] = []
        self._space()
        while self._at_keyword("using"):
            line = self._line()
            self._identifier_text()
            usings.append((self._string(), line))
            while self._accept(";"):
                pass
        entries: list[Entry] = []
        while self._position < len(self._text):
            entries.append(self._entry())
            if not self._accept(";"):
                break
        if self._position < len(self._text):
            self._expected("the end of the entry")
        return Description(tuple(usings), tuple(entries))

    def _entry(self) -> Entry:
        line = self._line()
        is_local = self._accept_keyword("local")
        name = self._identifier("the name of an entry")
        self._expect(":")
        type_name = self._type_name() if self._at_identifier() else None
        registrations = self._registrations() if self._accept("@") else None
        alias = self._string() if self._accept_keyword("as") else None
        attributes = self._attributes() if self._at("{") else ()
        return Entry(name, type_name, registrations, attributes, alias, is_local, line)

    def _registrations(self) -> tuple[RegistrationPoint, ...]:
        if self._accept_keyword("none"):
            return ()
        if not self._accept("{"):
            return (self._registration(),)
        points = [self._registration()]
        while self._accept(";") and not self._at("}"):
            points.append(self._registration())
        self._expect("}")
        return tuple(points)

    def _registration(self) -> RegistrationPoint:
        register = self._identifier("the name of a register")
        has_point = self._at_number() or self._at_identifier() or self._at_any('"', "'''", *"<[.")
        point = self._value(dictionaries=False) if has_point else None
        return RegistrationPoint(register, point)

    def _attributes(self) -> tuple[Attribute, ...]:
        self._expect("{")
        attributes: list[Attribute] = []
        while not self._at("}"):
            attributes.extend(self._attribute())
            if not self._accept(";"):
                break
        self._expect("}")
        return tuple(attributes)

    def _attribute(self) -> list[Attribute]:
        line = self._line()
        for section in ("preinit", "init", "reset"):
            if self._accept_keyword(section):
                return [self._commands(section, line)]
        if self._at("[") or self._at_number() or self._at("->"):
            return list(self._interrupts(line, None))
        name = self._identifier("an attribute")
        if self._at("->"):
            return list(self._interrupts(line, name))
        self._expect(":")
        if self._accept_keyword("none") or self._accept_keyword("empty"):
            return [Assignment(name, None, line)]
        return [Assignment(name, self._value(), line)]

    def _commands(self, section: str, line: int) -> Commands:
        adds = self._at_keyword("add")
        if adds:
            self._identifier_text()
        self._expect(":")
        self._expect("{")
        statements: list[str] = []
        while True:
            match = _MONITOR_STATEMENT.match(self._text, self._position)
            assert match is not None  # the pattern also matches nothing
            self._position = match.end()
            statements.append(match.group().strip())
            if not self._accept(";"):
                break
        self._expect("}")
        return Commands(section, adds, tuple(filter(None, statements)), line)

    def _interrupts(self, line: int, source: str | None) -> tuple[Interrupt, ...]:
        sources: list[int | str | None] = [source]
        many = False
        if source is None and not self._at("->"):
            many = self._at("[")
            sources = list(self._interrupt_ends(names=True) if many else self._interrupt_end(True))
        self._expect("->")
        if self._accept_keyword("none"):
            return tuple(Interrupt(end, None, None, 0, line) for end in sources)
        wires: list[Interrupt] = []
        while True:
            receiver = self._identifier("the receiver of an interrupt")
            local_index = self._unsigned("an index") if self._accept("#") else None
            self._expect("@")
            inputs = self._interrupt_ends(names=False) if many else self._interrupt_end(False)
            if len(inputs) != len(sources):
                self._error(f"{len(sources)} interrupt sources but {len(inputs)} destinations")
            for end, target in zip(sources, inputs, strict=True):
                assert isinstance(target, int)  # no names were allowed
                wires.append(Interrupt(end, receiver, local_index, target, line))
            if not self._accept("|"):
                return tuple(wires)

    def _interrupt_ends(self, names: bool) -> list[int | str | None]:
        self._expect("[")
        ends = self._interrupt_end(names)
        while self._accept(","):
            ends += self._interrupt_end(names)
        self._expect("]")
        return ends

    def _interrupt_end(self, names: bool) -> list[int | str | None]:
        if names and self._at_identifier():
            return [self._identifier("an interrupt")]
        first = self._unsigned("an interrupt's number")
        if self._at("->") or not self._accept("-"):
            return [first]
        last = self._unsigned("the last interrupt of a range")
        if last == first:
            self._error(f"the range {first}-{last} holds one number")
        step = 1 if last > first else -1
        return list(range(first, last + step, step))

    def _value(self, dictionaries: bool = True) -> Value:
        if self._at('"') or self._at("'''"):
            return self._string(long=True)
        if self._at("<"):
            return self._range()
        if self._at_number():
            return self._number()
        if self._at("["):
            return self._list()
        if dictionaries and self._at("{"):
            return self._dictionary()
        if self._accept("."):
            return EnumValue("." + self._identifier("an enumeration's member"))
        if self._accept_keyword("new"):
            type_name = self._type_name()
            return NewObject(type_name, self._attributes() if self._at("{") else ())
        for word in ("true", "True", "false", "False"):
            if self._accept_keyword(word):
                return word in ("true", "True")
        name = self._identifier("a value")
        if not self._at("."):
            return Reference(name)
        return EnumValue(name + self._dotted_rest())

    def _list(self) -> tuple[Value, ...]:
        self._expect("[")
        values: list[Value] = []
        while not self._at("]"):
            values.append(None if self._accept_keyword("empty") else self._value())
            if not self._accept(","):
                break
        self._expect("]")
        return tuple(values)

    def _dictionary(self) -> Dictionary:
        self._expect("{")
        items: list[tuple[Value, Value]] = []
        while not self._at("}"):
            key = self._value(dictionaries=False)
            self._expect(":")
            items.append((key, self._value()))
            if not self._accept(";"):
                break
        self._expect("}")
        return Dictionary(tuple(items))

    def _range(self) -> Range:
        self._expect("<")
        begin = self._unsigned("the begin of a range")
        self._expect(",")
        relative = self._accept("+")
        end = self._unsigned("the end of a range") + (begin if relative else 0)
        if end < begin:
            self._error(f"the range ends at {end:#x}, before its begin {begin:#x}")
        self._expect(">")
        return Range(begin, end)

    def _number(self) -> int | float:
        match = _NUMBER.match(self._text, self._position)
        assert match is not None  # the caller looked
        self._position = match.end()
        if self._position < len(self._text) and re.match(r"\w", self._text[self._position]):
            self._error(f"{match.group()!r} runs into other text")
        self._space()
        digits = match.group().replace("_", "")
        if "0x" in digits:
            return int(digits, 16)
        return float(digits) if "." in digits else int(digits)

    def _unsigned(self, what: str) -> int:
        if not self._at_number():
            self._expected(what)
        number = self._number()
        if isinstance(number, float) or number < 0:
            self._error(f"{what} is {number}, not a whole number from 0 up")
        return number

    def _string(self, long: bool = False) -> str:
        match = STRING.match(self._text, self._position)
        if match is None and long:
            match = LONG_STRING.match(self._text, self._position)
        if match is None:
            self._expected("a string")
        self._position = match.end()
        self._space()
        return re.sub(r"\\(.|$)", r"\1", match.group(1))

    def _type_name(self) -> str:
        return self._identifier("a type") + self._dotted_rest()

    def _dotted_rest(self) -> str:
        rest = ""
        while self._accept("."):
            rest += "." + self._identifier("a name")
        return rest

    def _identifier(self, what: str) -> str:
        word = self._word()
        if word is None or word in _KEYWORDS:
            self._expected(what)
        return self._identifier_text()

    def _identifier_text(self) -> str:
        word = self._word()
        assert word is not None  # callers look first
        self._position += len(word)
        self._space()
        return word

    def _word(self) -> str | None:
        match = _IDENTIFIER.match(self._text, self._position)
        return match.group() if match else None

    def _at_identifier(self) -> bool:
        word = self._word()
        return word is not None and (word not in _KEYWORDS or word in _VALUE_KEYWORDS)

    def _at_number(self) -> bool:
        return _NUMBER.match(self._text, self._position) is not None

    def _at_keyword(self, word: str) -> bool:
        return self._word() == word

    def _accept_keyword(self, word: str) -> bool:
        if self._word() != word:
            return False
        self._identifier_text()
        return True

    def _at(self, symbol: str) -> bool:
        return self._text.startswith(symbol, self._position)

    def _at_any(self, *symbols: str) -> bool:
        return self._text.startswith(symbols, self._position)

    def _accept(self, symbol: str) -> bool:
        if not self._at(symbol):
            return False
        self._position += len(symbol)
        self._space()
        return True

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            self._expected(f"'{symbol}'")

    def _space(self) -> None:
        while self._position < len(self._text) and self._text[self._position].isspace():
            self._position += 1

    def _line(self) -> int:
        return self._text.count("\n", 0, self._position) + 1

    def _expected(self, what: str) -> NoReturn:
        rest = self._text[self._position : self._position + 20].split("\n")[0]
        self._error(f"expected {what}, found {rest!r}" if rest else f"expected {what}")

    def _error(self, message: str) -> NoReturn:
        fail_at(self._text, self._position, self._source, message)
