#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the loader's file must be: static, at its fixed place, without relocations, initialisers or thread-local storage."""

import re
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile


def main() -> int:
    path = Path(sys.argv[1])
    layout = (Path(__file__).resolve().parents[2] / "ldso-hooks/loader/layout.h").read_text()
    start, limit = (int(re.search(rf"{name}\s*=\s*(0x[0-9a-f]+)", layout)[1], 16) for name in ("image_start", "image_limit"))
    problems = []
    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = list(elf.iter_segments())
        loads = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
        end = max(segment["p_vaddr"] + segment["p_memsz"] for segment in loads)
        if elf["e_type"] != "ET_EXEC":
            problems.append("not at a fixed address")
        if min(segment["p_vaddr"] for segment in loads) != start or end > limit:
            problems.append(f"lies at {loads[0]['p_vaddr']:#x} to {end:#x}, not within {start:#x} to {limit:#x}")
        for segment in segments:
            if segment["p_type"] in ("PT_INTERP", "PT_DYNAMIC", "PT_TLS"):
                problems.append("has " + segment["p_type"])
            if segment["p_flags"] & 3 == 3:
                problems.append("has a segment that can be written and executed")
        for section in elf.iter_sections():
            if section["sh_type"] in ("SHT_RELA", "SHT_REL", "SHT_INIT_ARRAY", "SHT_FINI_ARRAY") and section["sh_size"]:
                problems.append("has " + section.name)
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if symbol.name and symbol["st_shndx"] == "SHN_UNDEF" and symbol["st_info"]["bind"] == "STB_GLOBAL":
                problems.append("leaves " + symbol.name + " undefined")
    for problem in problems:
        print(f"{path.name} {problem}")
    print(f"{path.name}: {end - start} bytes of address space")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
