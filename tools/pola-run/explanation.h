// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text of --explain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/pola-run/grants.h"
#include "tools/pola-run/isolation.h"
#include "tools/pola-run/options.h"
#include "tools/pola-run/sandbox.h"

namespace plash::pola_run {

// Says what would be run, what walls stand around it and what is granted. sandbox: one whose walls
// are up, which is asked of the kernel where that tells; isolation: what they were made from.
// descriptors: what the program gets.
std::string explain(const Options &options, const std::vector<PlannedGrant> &grants,
                    const std::optional<IsolationSettings> &isolation, const Sandbox &sandbox,
                    const std::vector<int> &descriptors);

}  // namespace plash::pola_run
