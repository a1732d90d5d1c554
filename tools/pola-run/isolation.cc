// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/isolation.h"

namespace plash::pola_run {

void isolate(const IsolationSettings &settings) {
  unshare_namespaces(settings.keep_network);
  if (!settings.keep_network) bring_up_loopback();
  forbid_user_namespaces();
  enter_root(settings.root);
  limit_descriptors();
  drop_capabilities();
  install_system_call_filter();
}

}  // namespace plash::pola_run
