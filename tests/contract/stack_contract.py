#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the worst-case stack of each emulated call, and fails where it is more than the budget.

usage: stack_contract.py ARCHIVE SYSCALLS_DEF

From the disassembly of the whole archive, linked: what each function takes off the stack pointer, and whom it calls. Where a function has
several ways to take stack, all count; a call in tail position counts as any other. The handlers are reached by the dispatcher's table; other
indirect calls must be known to INDIRECT. An unknown one, recursion, or a frame whose size is not constant is an error.
"""
import re
import subprocess
import sys
import tempfile

from object_contract import link_together

BUDGET = 2048
RETURN_ADDRESS = 8
HANDLER = re.compile(r"_ZN5plash6engine\d+emulate_(.*)ERKNS0_9ArgumentsE$")
DISPATCHERS = re.compile(r"^plash_syscall$|8dispatch")
# Functions that make indirect calls, and what these can reach: hooks of the door, which account for their own stack; and the handlers of
# extended attributes, which are passed as pointers.
INDIRECT = {
    r"xattr\.cc|on_path|on_descriptor": r"plash6engine12_GLOBAL__N_1(3get|4list|3set|6remove)E",
    r"may_read|may_write|take_string|Receiver|4callEiRNS_4CallE|7look_up": None,
}
# Back to where a function's own frame was, or to its caller's.
GIVES_BACK = re.compile(r"(add\s+\$0x[0-7]?[0-9a-f]{0,7},%rsp|sub\s+\$0xf{8}[0-9a-f]{8},%rsp|lea\s+-0x[0-9a-f]+\(%rbp\),%rsp|mov\s+%rbp,%rsp|pop\b)")


class Function:
    def __init__(self, name, frame, calls, is_indirect, problems):
        self.name, self.frame, self.calls, self.is_indirect, self.problems = name, frame, calls, is_indirect, problems


def read_listing(text):
    """Instructions by function, of objdump's output: {address: (name, [text])}."""
    functions, current = {}, None
    for line in text.splitlines():
        label = re.match(r"^([0-9a-f]+) <(.*)>:$", line)
        if label:
            current = []
            functions[int(label[1], 16)] = (label[2], current)
        elif "\t" in line:
            current.append(line.split("\t", 1)[1].strip())
    return functions


def disassemble(archive):
    """Instructions by function: {address: (name, [text])}. By address, since local names repeat."""
    with tempfile.TemporaryDirectory() as directory:
        linked = directory + "/linked"
        # What is undefined is reported by object_contract.
        subprocess.run(["ld", "-e", "0", "--unresolved-symbols=ignore-all", link_together(archive, directory), "-o", linked],
                       check=True, stderr=subprocess.DEVNULL)
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", linked], check=True, capture_output=True, text=True).stdout
    return read_listing(text)


def stack_taken(name, instruction, problems):
    """Bytes that one instruction takes."""
    if re.match(r"push\b", instruction):
        return 8
    taken = re.match(r"sub\s+\$0x([0-9a-f]{1,7}),%rsp", instruction)
    if taken:
        return int(taken[1], 16)
    taken = re.match(r"(?:add\s+\$|lea\s+)0x(f{8}[0-9a-f]{8}),?.*%rsp$", instruction) or re.match(r"lea\s+-0x([0-9a-f]+)\(%rsp\),%rsp", instruction)
    if taken:
        value = int(taken[1], 16)
        return (1 << 64) - value if value >> 63 else value
    aligned = re.match(r"and\s+\$0x(f+[0-9a-f]{2}),%rsp", instruction)
    if aligned:
        return (1 << 64) - int(aligned[1].rjust(16, "f"), 16)
    # Any other instruction that has the stack pointer as its last, written, operand.
    if instruction.endswith(",%rsp") and not re.match(r"(cmp|test)", instruction) and not GIVES_BACK.match(instruction):
        problems.append(f"{name}: frame of variable size ({instruction})")
    return 0


def is_jump_table(instructions, index):
    """gcc's and clang's switch: the target is read from a table of offsets and added to the table's address."""
    before = instructions[max(0, index - 4):index]
    return instructions[index].startswith("jmp") and any(re.match(r"movslq\s+\S*\(%\w+,%\w+,4\)", line) for line in before)


def analyse(address, name, instructions, functions):
    frame, calls, is_indirect, problems = RETURN_ADDRESS, set(), False, []
    for index, instruction in enumerate(instructions):
        frame += stack_taken(name, instruction, problems)
        instruction = re.sub(r"^(notrack|bnd|rex\S*)\s+", "", instruction)
        jump = re.match(r"(call|j[a-z]+)\s+(\*?)(?:([0-9a-f]+)\s+<(\S+?)(?:\+0x[0-9a-f]+)?>)?", instruction)
        if not jump:
            continue
        if jump[2]:
            is_indirect |= not is_jump_table(instructions, index)
        elif jump[3] is None:
            problems.append(f"{name}: a call that was not understood ({instruction})")
        elif int(jump[3], 16) in functions:
            calls.add(int(jump[3], 16))
        elif jump[4] != name:
            problems.append(f"call of an unknown function: {jump[4]} in {name}")
    # A loop to the function's own start is no call.
    if not any(line.startswith("call") and f"{address:x} <" in line for line in instructions):
        calls.discard(address)
    return Function(name, frame, calls, is_indirect, problems)


def reached_indirectly(name, functions):
    for pattern, reached in INDIRECT.items():
        if re.search(pattern, name):
            return {address for address, function in functions.items() if reached and re.search(reached, function.name)}
    return None


def depth(address, functions, known, path, problems):
    if address in known:
        return known[address]
    function = functions[address]
    if address in path:
        cycle = path[path.index(address):] + [address]
        problems.add("recursion: " + " > ".join(functions[step].name for step in cycle))
        return 0
    problems.update(function.problems)
    calls = set(function.calls)
    if function.is_indirect:
        reached = reached_indirectly(function.name, functions)
        if reached is None:
            problems.add(f"indirect call in {function.name}")
        else:
            calls |= reached
    known[address] = function.frame + max((depth(call, functions, known, path + [address], problems) for call in calls), default=0)
    return known[address]


def measure(archive):
    """Stack of each emulated call, and what was wrong on the way."""
    listing = disassemble(archive)
    functions = {address: analyse(address, name, lines, listing) for address, (name, lines) in listing.items()}
    entry = sum(function.frame for function in functions.values() if DISPATCHERS.search(function.name))
    problems, known, table = set(), {}, {}
    for address, function in functions.items():
        handler = HANDLER.match(function.name)
        if handler:
            table[handler[1]] = entry + depth(address, functions, known, [], problems)
    return table, problems


def main():
    archive, definitions = sys.argv[1:3]
    table, problems = measure(archive)
    with open(definitions, encoding="utf-8") as file:
        expected = re.findall(r"^PLASH_SYSCALL\((\w+), EMULATED\)", file.read(), re.M)
    problems |= {f"no handler for {name}" for name in expected if name not in table}
    problems |= {f"{name} needs {size} bytes of stack, more than {BUDGET}" for name, size in table.items() if size > BUDGET}
    for name, size in sorted(table.items(), key=lambda item: -item[1]):
        print(f"{size:6} {name}")
    for problem in sorted(problems):
        print("FAIL:", problem)
    return 1 if problems or not table else 0


if __name__ == "__main__":
    sys.exit(main())
