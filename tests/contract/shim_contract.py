#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the preload shim to its contract: it needs libc and nothing else.

usage: shim_contract.py SHIM
"""
import sys

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

ALLOWED_LIBRARIES = {"libc.so.6", "ld-linux-x86-64.so.2"}


def check(path):
    problems = []
    with open(path, "rb") as file:
        elf = ELFFile(file)
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_TLS":
                problems.append("thread-local storage")
            if segment["p_type"] == "PT_GNU_STACK" and segment["p_flags"] & 1:
                problems.append("executable stack")
        for section in elf.iter_sections():
            if section.name in (".init_array", ".ctors", ".fini_array") and section["sh_size"]:
                problems.append(f"section {section.name}")
            if not isinstance(section, DynamicSection):
                continue
            for tag in section.iter_tags():
                if tag.entry.d_tag == "DT_NEEDED" and tag.needed not in ALLOWED_LIBRARIES:
                    problems.append(f"needs {tag.needed}")
                if tag.entry.d_tag == "DT_TEXTREL":
                    problems.append("relocations in its text")
        versions = {}
        needed = elf.get_section_by_name(".gnu.version_r")
        for library, entries in needed.iter_versions():
            for entry in entries:
                versions[entry["vna_other"]] = (library.name, entry.name)
        numbers = elf.get_section_by_name(".gnu.version")
        for index, symbol in enumerate(elf.get_section_by_name(".dynsym").iter_symbols()):
            if not symbol.name or symbol["st_shndx"] != "SHN_UNDEF":
                continue
            number = numbers.get_symbol(index)["ndx"]
            library = versions.get(number if isinstance(number, int) else -1, ("?", "?"))
            weak = symbol["st_info"]["bind"] == "STB_WEAK"
            if library[0] not in ALLOWED_LIBRARIES and not weak:
                problems.append(f"undefined symbol that is not libc's: {symbol.name}")
            if library[1] == "GLIBC_PRIVATE":
                problems.append(f"uses a private symbol of libc: {symbol.name}")
    return problems


def main():
    problems = check(sys.argv[1])
    for problem in problems:
        print("FAIL:", problem)
    print(f"{sys.argv[1]}: {'FAIL' if problems else 'keeps the contract'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
