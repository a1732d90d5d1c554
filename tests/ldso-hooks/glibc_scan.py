#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disassembles libraries of a rebuilt glibc: no system call that the engine emulates may be made outside of the engine.

usage: glibc_scan.py PLASH_EMULATED_H LIBRARY...

For each syscall instruction the number is looked for among the instructions before it. Says how large each library is, and how
large the system's own is where there is one of its name.
"""
import os
import re
import subprocess
import sys

from elftools.elf.elffile import ELFFile

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$")
# What may make emulated calls: the engine; cancellation points, which ask the engine first; syscall(), which does, too.
OUTSIDE = re.compile(r"^(__plash_\w+|_Z\w*5plash[\w.]*|plash_\w+|syscall)$")
# An unknown number: taken from an argument, or from memory.
SETXID = re.compile(r"^(__nptl_setxid\w*|__GI___nptl_setxid\w*|setxid_\w+|__nptl_setxid_sighandler|sighandler_setxid)")
SYSTEM = {"ld.so": "/lib64/ld-linux-x86-64.so.2", "libc.so": "/lib/x86_64-linux-gnu/libc.so.6"}
LOOK_BACK = 120


def emulated_numbers(header):
    with open(header, encoding="utf-8") as file:
        bits = re.search(r"#define PLASH_EMULATED_BITS (.*)", file.read())[1]
    words = [int(word, 16) for word in bits.split(",")]
    return {number for number in range(64 * len(words)) if words[number // 64] >> number % 64 & 1}


def family(register):
    """The 64-bit register that this one is part of."""
    if re.match(r"^r\d+[dwb]$", register):
        return register[:-1]
    return "r" + register[1:] if register[0] == "e" else register


def number_before(instructions):
    """The constant in eax, or None where it is not known."""
    register = "rax"
    for mnemonic, operands in reversed(instructions):
        source, comma, target = operands.rpartition(",")
        if not comma or not target.startswith("%") or family(target[1:]) != register or mnemonic.startswith(("cmp", "test")):
            continue
        if mnemonic.startswith("mov") and source.startswith("$0x"):
            return int(source[1:], 16)
        if mnemonic.startswith("xor") and source == target:
            return 0
        if not mnemonic.startswith("mov") or not re.match(r"^%\w+$", source):
            return None
        register = family(source[1:])
    return None


def scan(path, emulated):
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    function, instructions, calls, unknown, left = "?", [], 0, [], []
    for line in text.splitlines():
        label = FUNCTION.match(line)
        if label:
            function, instructions = label[1].split("@")[0], []
            continue
        instruction = INSTRUCTION.match(line)
        if not instruction:
            continue
        if instruction[2] == "syscall":
            calls += 1
            number = number_before(instructions[-LOOK_BACK:])
            if not OUTSIDE.match(function):
                if number is None:
                    unknown.append(f"{function} at {instruction[1]}")
                elif number in emulated:
                    left.append(f"{function} at {instruction[1]} makes call {number}")
        instructions.append((instruction[2], instruction[3]))
    return calls, unknown, left


def loaded_size(path):
    with open(path, "rb") as file:
        return sum(segment["p_memsz"] for segment in ELFFile(file).iter_segments() if segment["p_type"] == "PT_LOAD")


def main():
    emulated = emulated_numbers(sys.argv[1])
    problems = 0
    for path in sys.argv[2:]:
        name = os.path.basename(path)
        calls, unknown, left = scan(path, emulated)
        unknown = [where for where in unknown if not SETXID.match(where)]
        size = f"{loaded_size(path)} bytes loaded"
        if os.path.exists(SYSTEM.get(name, "")):
            size += f", {loaded_size(path) - loaded_size(SYSTEM[name]):+d} to the system's"
        print(f"{name}: {calls} system call instructions, {len(left)} of them of emulated calls outside of the engine; {size}")
        for problem in left:
            print(f"  {problem}")
        for where in unknown:
            print(f"  {where}: the call's number is not known")
        if calls == 0:
            print("  there must be some: this is no way to read it")
        problems += len(left) + len(unknown) + (calls == 0)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
