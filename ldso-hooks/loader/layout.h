// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the loader lies. Fixed, since the filter, which knows the addresses from which system calls
// pass, outlives exec. Above the lowest address that programs may map (vm.mmap_min_addr, 64 KiB)
// and below those at which linkers put programs without -pie (2 MiB by lld, 4 MiB by ld and Go) and
// valgrind those with it (1 MiB and 32 KiB), so that brk and the shadows of sanitizers find what
// they need.
#pragma once

namespace plash::loader {

constexpr unsigned long image_start = 0x40000;  // -Ttext-segment in meson.build
constexpr unsigned long image_limit = 0xc0000;  // the image ends before it, as image_test.py checks

}  // namespace plash::loader
