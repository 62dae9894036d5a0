"""The language of platform files: values, interrupts, commands, errors with line and column."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.emulation.platform.repl import parse_description
from predictor.emulation.platform.repl_syntax import (
    Assignment,
    Commands,
    Dictionary,
    EnumValue,
    Interrupt,
    NewObject,
    Range,
    Reference,
)
from predictor.errors import PlatformError


def attributes(text):
    """The attributes of the one entry of a description."""
    (entry,) = parse_description(text, "x.repl").entries
    return entry.attributes


VALUES = {
    "12": 12,
    "-3": -3,
    "0x1F": 31,
    "0xE000_1000": 0xE0001000,
    "1_000_000": 1_000_000,
    "2.5": 2.5,
    '"text"': "text",
    r'"a \"b\" \\"': 'a "b" \\',
    "'''long'''": "long",
    "'''two\nlines'''": "two\nlines",
    "true": True,
    "False": False,
    "name": Reference("name"),
    "STM32Series.F7": EnumValue("STM32Series.F7"),
    ".F7": EnumValue(".F7"),
    "<0x10, 0x30>": Range(0x10, 0x30),
    "<0x10, +0x30>": Range(0x10, 0x40),
    "[]": (),
    "[1, [2, 3], name]": (1, (2, 3), Reference("name")),
    "[1, empty]": (1, None),
    "new Point": NewObject("Point", ()),
    "new A.Point { x: 1; y: 2 }": NewObject(
        "A.Point", (Assignment("x", 1, 2), Assignment("y", 2, 2))
    ),
    "{ 1: 2; key: [3] }": Dictionary(((1, 2), (Reference("key"), (3,)))),
    "none": None,
    "empty": None,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    assert attributes(f"a: T\n    value: {text}\n") == (Assignment("value", VALUES[text], 2),)


WIRES = {
    "-> nvic@37": [(None, "nvic", None, 37)],
    "IRQ->nvic@0x25": [("IRQ", "nvic", None, 37)],
    "3 -> nvic@4": [(3, "nvic", None, 4)],
    "0-2 -> nvic@7-9": [(0, "nvic", None, 7), (1, "nvic", None, 8), (2, "nvic", None, 9)],
    "[0-3] -> nvic@[19-22]": [(n, "nvic", None, 19 + n) for n in range(4)],
    "[2-0] -> nvic@[5, 7-8]": [
        (2, "nvic", None, 5),
        (1, "nvic", None, 7),
        (0, "nvic", None, 8),
    ],
    "[A, B] -> nvic@[1, 1]": [("A", "nvic", None, 1), ("B", "nvic", None, 1)],
    "-> a@1 | b@2": [(None, "a", None, 1), (None, "b", None, 2)],
    "1 -> syscfg#3@4": [(1, "syscfg", 3, 4)],
    "IRQ -> none": [("IRQ", None, None, 0)],
}


@pytest.mark.parametrize("text", WIRES)
def test_interrupts(text):
    expected = tuple(Interrupt(*wire, 2) for wire in WIRES[text])
    assert attributes(f"a: T\n    {text}\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        'a: T\n    init:\n        Tag <1, 2> "N; {" 3\n        ApplySVD @https://x.y/z\n    b: 1\n',
        'a: T { init: { Tag <1, 2> "N; {" 3; ApplySVD @https://x.y/z }; b: 1 }\n',
        'a: T // why\n    init: // what\n        Tag <1, 2> "N; {" 3\n\n'
        "        ApplySVD @https://x.y/z\n    /* more */\n    b: 1",
    ],
    ids=["indented", "braces", "comments"],
)
def test_command_blocks(text):
    commands, assignment = attributes(text)
    assert isinstance(commands, Commands)
    assert commands.statements == ('Tag <1, 2> "N; {" 3', "ApplySVD @https://x.y/z")
    assert (commands.section, commands.adds) == ("init", False)
    assert (assignment.name, assignment.value) == ("b", 1)


def test_entries():
    text = (
        'using "other.repl"\n'
        "\n"
        "/* a\n   comment */\n"
        'local first: Name.Space.Type @ sysbus 0x10 as "alias"\n'
        "    size: 1\n"
        "second: Type @ none { size: 2; }\n"
        "third: Type @ {\n"
        "        sysbus 0x20;\n"
        '        sysbus new Bus.BusMultiRegistration { address: 0x30; size: 4; region: "r" }\n'
        "    }\n"
        "    size: 3\n"
        "fourth:\n"
        "    size: 4\n"
        "fifth: Type @ cpu\n"
    )
    description = parse_description(text, "x.repl")
    assert description.usings == (("other.repl", 1),)
    first, second, third, fourth, fifth = description.entries
    assert (first.name, first.type, first.alias, first.is_local) == (
        "first",
        "Name.Space.Type",
        "alias",
        True,
    )
    assert [entry.line for entry in description.entries] == [5, 7, 8, 13, 15]
    assert second.registrations == ()
    assert len(third.registrations) == 2
    assert (fourth.type, fourth.registrations) == (None, None)
    assert (fifth.registrations[0].register, fifth.registrations[0].point) == ("cpu", None)
    assert [entry.attributes[0].value for entry in description.entries[:4]] == [1, 2, 3, 4]


ERRORS = {
    "  a: T\n": r"x:1:1: the first line with text is indented|x:1:2: indentation",
    "a: T\n   b: 1\n": r"x:2:3: indentation of 3 spaces is not a multiple of 4",
    "a: T\n\tb: 1\n": r"x:2:1: indentation holds a tab",
    "a: T\n    b 1\n": r"x:2:7: expected ':', found '1",
    "a: T\n    b:\n": r"x:2:\d+: expected a value",
    "a: T\n    b: 0xG\n": r"x:2:9: '0' runs into other text",
    "a: T\n    b: 12ab\n": r"x:2:10: '12' runs into other text",
    'a: T\n    b: "open\n': r"x:2:8: a string without an end",
    "a: T /* open\n": r"x:1:6: a comment without an end",
    "a: T\n    b: <4, 2>\n": r"x:2:\d+: the range ends at 0x2, before its begin 0x4",
    "a: T\n    b: [1, 2\n": r"x:2:\d+: expected '\]'",
    "a: T\n    [0-3] -> nvic@[1-2]\n": r"x:2:\d+: 4 interrupt sources but 2 destinations",
    "a: T\n    1-1 -> nvic@2-2\n": r"x:2:\d+: the range 1-1 holds one number",
    "a: T @ sysbus 0x10 0x20\n": r"x:1:20: expected the end of the entry, found '0x20",
    "a: T { b: 1\n": r"x:\d+:\d+: expected '}'",
    "a\n": r"x:2:1: expected ':'",
    "1: T\n": r"x:1:1: expected the name of an entry",
    "new: T\n": r"x:1:1: expected the name of an entry",
    "using other\n": r"x:1:7: expected a string",
    "a: T\n    b: 1 c: 2\n": r"x:2:10: expected '}'",
    "a: T\n    b: 1\n        c: 2\n": r"x:2:\d+: expected '}'",
    "a: T @ {\n    }\n": r"x:2:5: expected the name of a register",
    "a: T\n    b: 1//c\n": r"x:2:\d+: expected '}', found '//c",
}


@pytest.mark.parametrize("text", ERRORS, ids=range(len(ERRORS)))
def test_errors_name_line_and_column(text):
    with pytest.raises(PlatformError, match=ERRORS[text]):
        parse_description(text, "x")


@given(st.text(alphabet="ab:@<>{}[]\"/*\n ;0x1,+->.'newusing#|", max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_parses_or_is_refused(text):
    message = "x:1:1: "
    try:
        parse_description(text, "x")
    except PlatformError as error:
        message = str(error)
    assert re.match(r"x:\d+:\d+: ", message)
