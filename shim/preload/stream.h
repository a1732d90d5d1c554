// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <stdio.h>

namespace plash::preload {

// fopen(3), for the shim's own use.
FILE *open_stream(const char *path, const char *mode);

}  // namespace plash::preload
