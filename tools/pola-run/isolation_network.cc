// SPDX-License-Identifier: LGPL-2.1-or-later
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {

void bring_up_loopback() {
  const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control) {
    if (errno == EAFNOSUPPORT) return;  // a kernel without IPv4 has no 127.0.0.1
    throw Error(ExitStatus::failure, "no isolation: cannot make a socket", errno);
  }
  ifreq request = {.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) {
    throw Error(ExitStatus::failure,
                "no isolation: cannot bring up the loopback interface of a new network namespace",
                errno);
  }
}

}  // namespace plash::pola_run
