// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Included ahead of every freestanding source by the build (freestanding_args): what is declared
// and defined elsewhere in the archive is hidden too, so that the compiler reaches it without a
// global offset table or a procedure linkage table.
#pragma GCC visibility push(hidden)
