// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the loader says on standard error: always one line, beginning with "ld-plash.so: ".
// Async-signal-safe.
#pragma once

namespace plash::loader {

// Says text, then detail if there is one, then the number of the error if that is not 0.
void say(const char *text, const char *detail = nullptr, long error = 0) noexcept;

// Says text, once in the life of this image.
void say_once(const char *text) noexcept;

// Says it and ends the process with status 127.
[[noreturn]] void die(const char *text, const char *detail = nullptr, long error = 0) noexcept;

}  // namespace plash::loader
