// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the grants on the command line to the names that the sandbox sees.
#pragma once

#include <string>
#include <vector>

#include "tools/pola-run/isolation.h"
#include "tools/pola-run/options.h"
#include "tools/server/namespace.h"

namespace plash::pola_run {

// A host object that is to stand at path in the sandbox. Both are absolute; path has no "." or
// "..". A symlink at host_path is granted as the link that it is.
struct PlannedGrant {
  std::string path;
  std::string host_path;
  server::Rights rights;
};

// The grants of the options, in an order in which links come before what is granted through them.
// Reads the host's file system. Throws Error (usage) naming a path that cannot be granted.
std::vector<PlannedGrant> plan_grants(const Options &options);

// host_path in the place of the file at path, and every link on the way there.
std::vector<PlannedGrant> plan_replacement(const std::string &path, const std::string &host_path);

// Fills the namespace. Throws Error (usage) naming a path that cannot be granted.
void apply_grants(const std::vector<PlannedGrant> &grants, server::Namespace &name_space);

// path without empty components, "." and "..": a name in the sandbox, where nothing can be a
// symlink yet. path: absolute.
std::string normal_name(const std::string &path);

// Of the default endowment: /proc, /dev/pts and /dev/ptmx, as far as mounts has them, and the names
// of open descriptors in /dev. Before the server is started.
void grant_own_mounts(SandboxMounts mounts, server::Namespace &name_space);

}  // namespace plash::pola_run
