// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/error.h"

#include <system_error>

namespace plash::pola_run {

Error::Error(ExitStatus status, const std::string &message, int error_number)
    : Error(status, message + ": " + std::generic_category().message(error_number)) {}

}  // namespace plash::pola_run
