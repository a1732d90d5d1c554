// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Catch2 under the one name that its versions 2 and 3 share here.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
