"""Readable forms of C++ symbols, against the toolchain's own demangler where it is there."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from predictor.firmware.symbols import readable_symbol

NAMES = {
    "main": "main",
    "_Z3foov": "foo",
    "_ZN6tflite16MicroInterpreter6InvokeEv": "tflite::MicroInterpreter::Invoke",
    "_ZNK6runner5Model4sizeEv": "runner::Model::size",
    "_ZN12_GLOBAL__N_14EvalEP13TfLiteContextP10TfLiteNode": "(anonymous)::Eval",
    "_ZL6helperi": "helper",
    "_ZN6tflite12BytesForTypeIfEEjv": "tflite::BytesForType<>",
    "_ZN6tflite5ArenaC2Ev": "tflite::Arena::Arena",
    "_ZN6tflite5ArenaD1Ev": "tflite::Arena::~Arena",
    "_Znwj": "_Znwj",
    "_ZTV5Arena": "_ZTV5Arena",
    "_Z99foo": "_Z99foo",
    "_Z": "_Z",
}


@pytest.mark.parametrize("symbol", NAMES)
def test_readable_symbol(symbol):
    assert readable_symbol(symbol) == NAMES[symbol]


@pytest.mark.parametrize("symbol", NAMES)
def test_equals_the_demangler_up_to_arguments(symbol):
    program = shutil.which("arm-none-eabi-c++filt") or shutil.which("c++filt")
    if program is None:
        pytest.skip("c++filt is missing: apt install binutils-arm-none-eabi")
    done = subprocess.run([program, symbol], capture_output=True, text=True, check=True)
    name = done.stdout.strip().replace("(anonymous namespace)", "(anonymous)")
    if name.startswith(("operator", "vtable")):
        return
    name = re.sub(r"<.*>", "<>", re.sub(r"^.* (?=\w+::\w+<)", "", name))
    name = re.match(r"((?:\(anonymous\)|[^(])*)", name)[1]
    assert readable_symbol(symbol) == name
