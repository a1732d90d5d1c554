#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the worst-case stack of each emulated call, and fails where it is more than the budget.

usage: stack_contract.py ARCHIVE SYSCALLS_DEF

From the disassembly of the objects linked together: what each function takes off the stack pointer and pushes, and whom it calls. Indirect
calls are resolved by INDIRECT; an unknown one, recursion, or a frame whose size is not constant is an error.
"""
import re
import subprocess
import sys
import tempfile

from object_contract import link_together

BUDGET = 2048
RETURN_ADDRESS = 8
# Functions that make indirect calls, and what these can reach: hooks of the door, which account for their own stack; and the handlers of
# extended attributes, which are passed as pointers.
INDIRECT = {
    r"xattr\.cc|on_path|on_descriptor": r"plash6engine12_GLOBAL__N_1(3get|4list|3set|6remove)E",
    r"may_read|may_write|take_string|Receiver|4callEiRNS_4CallE": None,
}


def disassemble(path):
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    functions, name = {}, None
    for line in text.splitlines():
        label = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if label:
            name = label[1]
            functions[name] = []
        elif name and line.strip():
            functions[name].append(line.strip())
    return functions


class Function:
    def __init__(self, name, lines):
        self.frame, self.calls, self.indirect, self.problems = 0, set(), False, []
        pushed = 0
        for index, line in enumerate(lines):
            instruction = line.split("\t", 1)[1] if "\t" in line else line
            relocation = lines[index + 1] if index + 1 < len(lines) and "R_X86_64" in lines[index + 1] else ""
            if re.match(r"push\b", instruction):
                pushed += 8
            taken = re.match(r"sub\s+\$0x([0-9a-f]+),%rsp", instruction)
            if taken:
                pushed += int(taken[1], 16)
            if re.match(r"add\s+\$0xf+([0-9a-f]{1,8}),%rsp", instruction):
                pushed += (1 << 32) - int(re.match(r"add\s+\$0xf+([0-9a-f]{1,8}),%rsp", instruction)[1].rjust(8, "f"), 16)
            if re.match(r"(sub|and)\s+%r", instruction) and instruction.rstrip().endswith("%rsp"):
                self.problems.append(f"{name}: frame of variable size")
            jump = re.match(r"(call|jmp|j[a-z]+)\s+(\*?)(\S+)(?:\s+<([^>+]+)(\+0x[0-9a-f]+)?>)?", instruction)
            if not jump:
                continue
            if jump[2] == "*":
                # A jump table's own targets are in the function; a call through a pointer is not.
                if jump[1] == "call" or "notrack" not in instruction and "(" not in jump[3]:
                    self.indirect = True
                continue
            target = re.search(r"R_X86_64_(?:PLT32|PC32)\s+(\S+?)(?:-0x[0-9a-f]+|\+0x[0-9a-f]+)?$", relocation)
            if target and not target[1].startswith("."):
                self.calls.add(target[1])
            elif jump[4] and jump[4] != name:
                self.calls.add(jump[4])
        self.frame = pushed + RETURN_ADDRESS


def resolve_indirect(name, functions):
    for pattern, reached in INDIRECT.items():
        if re.search(pattern, name):
            return {f for f in functions if reached and re.search(reached, f)}
    return None


def depth(name, functions, known, path, problems):
    if name in known:
        return known[name]
    if name in path:
        problems.add(f"recursion: {' > '.join(path[path.index(name):] + [name])}")
        return 0
    function = functions.get(name)
    if function is None:
        problems.add(f"call of an unknown function: {name}")
        return 0
    problems.update(function.problems)
    calls = set(function.calls)
    if function.indirect:
        reached = resolve_indirect(name, functions)
        if reached is None:
            problems.add(f"indirect call in {name}")
        else:
            calls |= reached
    below = max((depth(call, functions, known, path + [name], problems) for call in calls), default=0)
    known[name] = function.frame + below
    return known[name]


def demangle_handler(name):
    match = re.match(r"_ZN5plash6engine\d+emulate_(.*)ERKNS0_9ArgumentsE$", name)
    return match and match[1]


def measure(archive):
    with tempfile.TemporaryDirectory() as directory:
        functions = {name: Function(name, lines) for name, lines in disassemble(link_together(archive, directory)).items()}
    problems, known, table = set(), {}, {}
    for name in functions:
        handler = demangle_handler(name)
        if handler:
            table[handler] = depth(name, functions, known, [], problems)
    if "plash_syscall" in functions:
        entry = functions["plash_syscall"].frame
        dispatch = [n for n in functions if "8dispatch" in n]
        entry += sum(functions[n].frame for n in dispatch)
        table = {handler: size + entry for handler, size in table.items()}
    return table, problems


def main():
    archive, definitions = sys.argv[1:3]
    table, problems = measure(archive)
    expected = re.findall(r"^PLASH_SYSCALL\((\w+), EMULATED\)", open(definitions, encoding="utf-8").read(), re.M)
    problems |= {f"no handler for {name}" for name in expected if name not in table}
    problems |= {f"{name} needs {size} bytes of stack, more than {BUDGET}" for name, size in table.items() if size > BUDGET}
    for name, size in sorted(table.items(), key=lambda item: -item[1]):
        print(f"{size:6} {name}")
    for problem in sorted(problems):
        print("FAIL:", problem)
    return 1 if problems or not table else 0


if __name__ == "__main__":
    sys.exit(main())
