#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds a built archive of the call path to its contract.

usage: object_contract.py ARCHIVE ENTRY_POINT...

The archive's objects, linked together, must have no undefined symbol, no visible one, no thread-local storage, no initialiser, no
stack protector, no unwind table, no vector or x87 register, and no relocation that a shared object could not have in its text.
"""
import re
import subprocess
import sys
import tempfile

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

FORBIDDEN_SECTIONS = re.compile(
    r"^\.(init_array|fini_array|preinit_array|ctors|dtors|init|fini|tdata|tbss|eh_frame|gcc_except_table)")
# PC-relative ones, which the static linker resolves; PLT32 is what compilers emit for direct calls of hidden functions too.
TEXT_RELOCATIONS = {2: "R_X86_64_PC32", 4: "R_X86_64_PLT32", 24: "R_X86_64_PC64"}
POINTER_RELOCATION = 1  # R_X86_64_64, in .data.rel.ro only
VECTOR_REGISTER = re.compile(r"%([txyz]?mm\d+|st\b|k[0-7]\b)")
X87_INSTRUCTION = re.compile(r"\t(f[a-z0-9]+|emms|ldmxcsr|stmxcsr|x(save|rstor)\w*)\b")  # some name no register
THREAD_REGISTER = re.compile(r"%fs:")


def link_together(archive, directory):
    whole = directory + "/whole.o"
    subprocess.run(["ld", "-r", "--whole-archive", archive, "-o", whole], check=True)
    return whole


def check_symbols(elf, entry_points):
    problems = []
    defined = set()
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            name = symbol.name
            bind, kind = symbol["st_info"]["bind"], symbol["st_info"]["type"]
            if bind == "STB_LOCAL" or not name:
                continue
            if symbol["st_shndx"] == "SHN_UNDEF":
                problems.append(f"undefined symbol: {name}")
                continue
            defined.add(name)
            if symbol["st_other"]["visibility"] != "STV_HIDDEN":
                problems.append(f"symbol is not hidden: {name}")
            if kind == "STT_TLS":
                problems.append(f"thread-local variable: {name}")
            if name.startswith("_ZGV"):
                problems.append(f"guard of a function's static variable: {name}")
    problems += [f"entry point is missing: {name}" for name in entry_points if name not in defined]
    return problems


def check_sections(elf):
    problems = []
    for section in elf.iter_sections():
        if FORBIDDEN_SECTIONS.match(section.name) and section["sh_size"] != 0:
            problems.append(f"section {section.name}")
        if section["sh_flags"] & SH_FLAGS.SHF_TLS:
            problems.append(f"section {section.name} is thread-local")
    return problems


def check_relocations(elf):
    problems = []
    for section in elf.iter_sections():
        if not isinstance(section, RelocationSection):
            continue
        target = elf.get_section(section["sh_info"])
        if not target["sh_flags"] & SH_FLAGS.SHF_ALLOC:
            continue  # debugging information
        for relocation in section.iter_relocations():
            kind = relocation["r_info_type"]
            if kind in TEXT_RELOCATIONS or (kind == POINTER_RELOCATION and target.name.startswith(".data.rel.ro")):
                continue
            problems.append(f"relocation of type {kind} in {target.name}")
    return problems


def check_instructions(path):
    problems = set()
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    function = "?"
    for line in text.splitlines():
        label = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if label:
            function = label[1]
        elif VECTOR_REGISTER.search(line) or X87_INSTRUCTION.search(line):
            problems.add(f"vector or x87 register in {function}")
        elif THREAD_REGISTER.search(line):
            problems.add(f"thread register (TLS or stack protector) in {function}")
    return sorted(problems)


def check(archive, entry_points):
    with tempfile.TemporaryDirectory() as directory:
        whole = link_together(archive, directory)
        with open(whole, "rb") as file:
            elf = ELFFile(file)
            problems = check_symbols(elf, entry_points) + check_sections(elf) + check_relocations(elf)
        return problems + check_instructions(whole)


def main():
    archive, entry_points = sys.argv[1], sys.argv[2:]
    problems = check(archive, entry_points)
    for problem in problems:
        print(f"{archive}: {problem}")
    print(f"{archive}: {'FAIL' if problems else 'keeps the contract'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
