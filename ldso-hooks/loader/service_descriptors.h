// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The descriptors that the loader door keeps for itself, at numbers that are the same in every
// process of a sandbox: they outlive exec, so neither environment nor memory has to carry them. The
// filter answers close(2), dup2(2), fcntl(2) and ioctl(2) on any number of the range with EBADF
// unless the loader itself calls.
#pragma once

namespace plash::loader {

constexpr int first_service_descriptor = 1012;

// Kept sessions, see protocol/session.h: 1012 to 1015.

constexpr int unused_descriptor = 1016;

// Only between an emulated exec and the new image's start: what the new image is to know
// (exec_message.h), and its program.
constexpr int message_descriptor = 1018;
constexpr int program_descriptor = 1019;

// The program's own file, for /proc/self/exe.
constexpr int exe_descriptor = 1017;
constexpr char exe_descriptor_name[] = "/proc/self/fd/1017";

// Always there, from the launcher.
constexpr int fs_op_descriptor = 1020;
constexpr int loader_descriptor = 1021;  // this loader's file, O_PATH will do
constexpr int cwd_descriptor = 1022;

constexpr int last_service_descriptor = 1023;

// Puts the loader's file at a number of the range that has nothing to hold: the kernel would give a
// free one to the program, which could not close it. Where the program's limit forbids the number,
// which then is not given out either, it is left free. Async-signal-safe.
void reserve_descriptor(int number) noexcept;

// What set-up of the engine is told, with the numbers above.
constexpr char service_capabilities[] = "PLASH_CAPS=fs_op=1020;cwd=1022";

}  // namespace plash::loader
