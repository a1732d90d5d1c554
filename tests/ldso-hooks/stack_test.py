#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much stack the loader's SIGSYS handler takes at most, from the disassembly of the loader as it was built, against what it counts on.

usage: stack_test.py LOADER

Three numbers of the sources are bounds: handler_size (alternate_stack.cc) of all that runs on the program's stack below a signal frame;
stack_size (scratch_stack.cc) of what runs on a stack of the loader's; frame_margin (resume.cc) of the functions that are there while a block
for the way back is written below them.
"""
import re
import subprocess
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/contract"))
import stack_contract  # noqa: E402

ENTRY = r"on_sigsys"
ON_EITHER_STACK = r"on_sigsys.*_FUN"
BLOCK_WRITERS = ("call_with_mask", "change_alternate_stack", "clone_without_alternate_stack")
# What indirect calls reach, the hooks of this door included. The program's own handler is on the program's account.
INDIRECT = {
    r"call_with_room|plash_call_on_stack": ON_EITHER_STACK,
    r"deliver_sigsys": None,
    r"^plash_syscall$": r"plash6engine\d+emulate_.*ERKNS0_9ArgumentsE$",
    r"8may_read": r"plash6loader8readable",
    r"9may_write": r"plash6loader8writable",
    r"11take_string": r"plash6loader15string_readable",
    r"4callEiRNS_4CallE|7look_up": r"plash6loader14wait_for_reply",
    r"on_path|on_descriptor": r"plash6engine12_GLOBAL__N_1(3get|4list|3set|6remove)E",
}
# It is there to change stacks.
CHANGES_STACK = "plash_call_on_stack"


class Loader:
    def __init__(self, path):
        text = subprocess.run(["objdump", "-d", "-w", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
        self.file = open(path, "rb")
        self.elf = ELFFile(self.file)
        listing = stack_contract.read_listing(text)
        self.addresses = sorted(listing)
        self.functions = {address: stack_contract.analyse(address, name, self.without_switches(address, lines), listing)
                          for address, (name, lines) in listing.items()}

    def without_switches(self, address, lines):
        """Code that is not moved has its switches as "jmp *TABLE(,%rax,8)"; one whose table leads elsewhere stays an indirect jump."""
        end = next((other for other in self.addresses if other > address), 1 << 48)
        kept = []
        for line in lines:
            table = re.match(r"(?:notrack\s+)?jmp\s+\*0x([0-9a-f]+)\(,%\w+,8\)$", line)
            if not table or not address < self.word(int(table[1], 16)) < end:
                kept.append(line)
        return kept

    def word(self, address):
        for section in self.elf.iter_sections():
            if section["sh_addr"] <= address < section["sh_addr"] + section["sh_size"]:
                offset = address - section["sh_addr"]
                return int.from_bytes(section.data()[offset:offset + 8], "little")
        return 0

    def named(self, pattern):
        return [address for address, function in self.functions.items() if re.search(pattern, function.name)]

    def calls(self, function, problems):
        calls = set(function.calls)
        if function.is_indirect:
            reached = stack_contract.reached_indirectly(function.name, self.functions)
            if reached is None:
                problems.add(f"indirect call in {function.name}")
            calls |= reached or set()
        return calls

    def to_targets(self, address, targets, known, problems):
        """The most stack on a way from a function to one of the targets, its own included; None where there is no way."""
        if address not in known:
            known[address] = None
            function = self.functions[address]
            ways = [self.to_targets(call, targets, known, problems) for call in self.calls(function, problems)]
            longest = max((way for way in ways if way is not None), default=0 if address in targets else None)
            known[address] = None if longest is None else function.frame + longest
        return known[address]


def bound(name, path):
    text = (ROOT / path).read_text()
    value = re.search(rf"constexpr unsigned long {name} =\s*([0-9* ]+);", text)
    result = 1
    for factor in value[1].split("*"):
        result *= int(factor)
    return result


def measure(loader, problems):
    """Bytes by what they are bounded by."""
    entry, = (address for address in loader.named(ENTRY) if address not in loader.named(ON_EITHER_STACK))
    either, = loader.named(ON_EITHER_STACK)
    targets = [address for name in BLOCK_WRITERS for address in loader.named(r"4Trap\d+" + name)]
    if len(targets) != len(BLOCK_WRITERS):
        problems.add("the functions that write blocks are not all there")
    for address in loader.named(f"^{CHANGES_STACK}$"):
        loader.functions[address].problems.clear()
    known = {}
    return {
        ("handler_size", "ldso-hooks/loader/alternate_stack.cc"): stack_contract.depth(entry, loader.functions, known, [], problems),
        ("stack_size", "ldso-hooks/loader/scratch_stack.cc"): stack_contract.depth(either, loader.functions, known, [], problems),
        ("frame_margin", "ldso-hooks/loader/resume.cc"): loader.to_targets(entry, set(targets), {}, problems) or 0,
    }


def main():
    stack_contract.INDIRECT = INDIRECT
    problems = set()
    for (name, path), size in measure(Loader(sys.argv[1]), problems).items():
        print(f"{name} is {bound(name, path)}, {size} are used")
        if not 0 < size <= bound(name, path):
            problems.add(f"{name} ({path}) is {bound(name, path)}, and {size} bytes are used")
    for problem in sorted(problems):
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
