// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which descriptors the process has open. Asked by fcntl(2) alone, which is the same through every
// door.
#pragma once

#include <bitset>
#include <string>

namespace plash::stress {

// Larger than any number that is used here; service descriptors do not show.
constexpr int max_descriptor = 1024;
using DescriptorSet = std::bitset<max_descriptor>;

// Async-signal-safe.
DescriptorSet open_descriptors() noexcept;

// The lowest number that is not open. Async-signal-safe.
int lowest_free_descriptor() noexcept;

// Each number in the set with what it is, for messages.
std::string describe(const DescriptorSet &descriptors);

// Closes what is open now and was not before; returns how many.
int close_others(const DescriptorSet &before) noexcept;

}  // namespace plash::stress
