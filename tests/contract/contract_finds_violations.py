#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles small objects that break the contract, one way each, and requires the checks to find it.

usage: contract_finds_violations.py COMPILER...
"""
import subprocess
import sys
import tempfile

import object_contract
import stack_contract

FLAGS = ["-c", "-O2", "-fPIC", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-stack-protector", "-fvisibility=hidden",
         "-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-fno-threadsafe-statics"]
HANDLER = "namespace plash::engine { struct Arguments; long emulate_x(const Arguments &) noexcept "
CASES = [
    ("undefined symbol", 'extern "C" void *memcpy(void *, const void *, unsigned long); struct S { char c[4096]; };'
                         "void f(S *a, S *b) { memcpy(a, b, sizeof *a); }", []),
    ("not hidden", '__attribute__((visibility("default"))) int f() { return 0; }', []),
    ("thread-local", "thread_local int x; int f() { return x; }", []),
    (".init_array", "int g(); struct S { int x; S() : x(g()) {} }; int g() { return 1; } S s;", []),
    ("vector", "double f(double a, double b) { return a * b; }", []),
    ("x87", "void f(const long *from, long double *to) { *to = static_cast<long double>(*from); }", ["-mno-sse"]),
    ("thread register", "void g(char *); void f() { char c[64]; g(c); } void g(char *c) { *c = 0; }",
     ["-fstack-protector-all"]),
    (".eh_frame", "int f() { return 0; }", ["-fasynchronous-unwind-tables"]),
    ("guard", "int g() { return 1; } int f() { static int x = g() + (int)(long)&x; return x; }", ["-fthreadsafe-statics"]),
    ("relocation", "extern int x; int *p = &x; int x;", []),
    ("more than 2048", HANDLER + '{ char c[4096]; asm volatile("" : : "r"(c) : "memory"); return 0; } }', []),
    ("recursion", "int f(int); __attribute__((noipa)) int g(int x) { return f(x) + 1; }"
                  "__attribute__((noipa)) int f(int x) { return g(x) + 2; }" + HANDLER + "{ return f(1); } }", []),
    ("indirect call", HANDLER + "{ int (*volatile p)() = nullptr; return p() + 1; } }", []),
    ("indirect call", HANDLER + "{ extern long (*hook)(); return hook(); } } long (*plash::engine::hook)();", []),
    ("more than 2048", "__attribute__((cold, noipa)) long deep() { char c[4096]; asm volatile(\"\" : : \"r\"(c) : \"memory\"); return 0; }" + HANDLER +
                       "{ if (*(volatile int *)8) return deep() + 1; return 0; } }", []),
    ("variable size", HANDLER + '{ char c[*(volatile int *)8]; asm volatile("" : : "r"(c) : "memory"); return 0; } }', ["-Wno-vla"]),
]


def find(compiler, source, extra):
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/case.cc"
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        subprocess.run(compiler + FLAGS + extra + [path, "-o", directory + "/case.o"], check=True)
        archive = directory + "/case.a"
        subprocess.run(["ar", "rcs", archive, directory + "/case.o"], check=True)
        table, stack_problems = stack_contract.measure(archive)
        too_deep = [f"{name} needs more than 2048" for name, size in table.items() if size > stack_contract.BUDGET]
        return object_contract.check(archive, []) + sorted(stack_problems) + too_deep


def main():
    compiler, failures = sys.argv[1:], 0
    for expected, source, extra in CASES:
        problems = find(compiler, source, extra)
        found = any(expected in problem for problem in problems)
        print(f"{'found' if found else 'MISSED'}: {expected}")
        failures += not found
    clean = find(compiler, "int f() { return 0; }", [])
    if clean:
        print("a clean object is said to break the contract:", clean)
    return 1 if failures or clean else 0


if __name__ == "__main__":
    sys.exit(main())
