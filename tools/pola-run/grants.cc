// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/grants.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>
#include <system_error>

#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

constexpr int max_links = 40;  // as the kernel's MAXSYMLINKS

[[noreturn]] void refuse(const std::string &path, int error_number) {
  throw Error(ExitStatus::usage, "cannot grant '" + path + "'", error_number);
}

bool is_root(const std::string &path) { return path == "/"; }

std::string child_of(const std::string &directory, const std::string &name) {
  return (is_root(directory) ? "" : directory) + "/" + name;
}

std::string parent_of(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::deque<std::string> components_of(const std::string &path) {
  std::deque<std::string> components;
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string component = path.substr(start, end - start);
    if (!component.empty() && component != ".") components.push_back(component);
    start = end + 1;
  }
  return components;
}

std::string real_path(const std::string &path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                             &std::free);
  if (!resolved) refuse(path, errno);
  return resolved.get();
}

bool is_link(const std::string &path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

std::string link_target(const std::string &path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  if (length < 0) refuse(path, errno);
  return std::string(target, static_cast<std::size_t>(length));
}

class Planner {
 public:
  // The object at source and every link on the way to it, each at its own path.
  void grant_following_links(const std::string &source, server::Rights rights) {
    const std::string path = walk(source, [](const std::string &) { return true; });
    add(path, path, rights);
  }

  // The object at source, a link as the link that it is, under the name that it was given, unless a
  // part of that name is a link that was granted.
  void grant_as_named(const std::string &source, server::Rights rights) {
    const std::string path =
        walk(source, [this](const std::string &link) { return granted_links_.contains(link); });
    add(path, path, rights);
  }

  void grant_at(const std::string &name, const std::string &source, bool follow_links,
                server::Rights rights) {
    add(normal_name(name), follow_links ? real_path_of_slot(source) : source, rights);
  }

  void replace(const std::string &name, const std::string &source) {
    add(walk(name, [](const std::string &) { return true; }), source, {});
  }

  std::vector<PlannedGrant> take() { return std::move(grants_); }

 private:
  // Resolves source component by component, grants those links that splice() chooses, and returns
  // where it ends. Other links stay part of the name, but ".." is always taken as the kernel would.
  template <class Splice>
  std::string walk(const std::string &source, Splice splice) {
    std::deque<std::string> remaining = components_of(source);
    std::string current = "/";
    for (int links = 0; !remaining.empty();) {
      const std::string component = remaining.front();
      remaining.pop_front();
      if (component == "..") {
        current = parent_of(real_path(current));
        continue;
      }
      const std::string path = child_of(current, component);
      if (!is_link(path) || !splice(path)) {
        current = path;
        continue;
      }
      if (++links > max_links) refuse(source, ELOOP);
      add(path, path, {});
      granted_links_.insert(path);
      const std::string target = link_target(path);
      if (target.starts_with("/")) current = "/";
      const std::deque<std::string> spliced = components_of(target);
      remaining.insert(remaining.begin(), spliced.begin(), spliced.end());
    }
    return current;
  }

  // As realpath(3), where the last component need not exist.
  static std::string real_path_of_slot(const std::string &source) {
    struct stat status;
    if (::stat(source.c_str(), &status) == 0 || errno != ENOENT || is_link(source)) {
      return real_path(source);
    }
    const std::size_t slash = source.rfind('/');
    return child_of(real_path(source.substr(0, slash + 1)), source.substr(slash + 1));
  }

  void add(const std::string &path, const std::string &host_path, server::Rights rights) {
    struct stat status;
    if (!rights.create && ::lstat(host_path.c_str(), &status) != 0) refuse(host_path, errno);
    grants_.push_back({path, host_path, rights});
  }

  std::vector<PlannedGrant> grants_;
  std::set<std::string> granted_links_;
};

// What a system directory that may be missing (there is not always a /lib64) needs to be left out.
void grant_if_present(Planner &planner, const char *path, server::Rights rights = {}) {
  if (::access(path, F_OK) == 0) planner.grant_following_links(path, rights);
}

void grant_default_endowment(Planner &planner) {
  // Debian's /usr/bin names many programs through links in /etc/alternatives.
  for (const char *path : {"/usr", "/bin", "/lib", "/lib64", "/etc/alternatives", "/etc/localtime",
                           "/sys/devices/system/cpu"}) {
    grant_if_present(planner, path);
  }
  // Without it ld.so looks for each library in some forty directories, a call each.
  grant_if_present(planner, "/etc/ld.so.cache");
  // Devices that reveal nothing; programs take them for granted.
  for (const char *path : {"/dev/random", "/dev/urandom"}) grant_if_present(planner, path);
  for (const char *path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"}) {
    grant_if_present(planner, path, {.write = true});
  }
}

void grant_name_resolution(Planner &planner) {
  for (const char *path : {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                           "/etc/gai.conf", "/etc/services", "/etc/protocols"}) {
    grant_if_present(planner, path);
  }
}

}  // namespace

std::string normal_name(const std::string &path) {
  std::string name = "/";
  for (const std::string &component : components_of(path)) {
    name = component == ".." ? parent_of(name) : child_of(name, component);
  }
  return name;
}

std::vector<PlannedGrant> plan_grants(const Options &options) {
  Planner planner;
  // Links first: a file that is named through one of them then goes where the link leads.
  if (options.default_endowment) grant_default_endowment(planner);
  if (options.network) grant_name_resolution(planner);
  for (const GrantOption &grant : options.grants) {
    if (grant.follow_links && !grant.name) {
      planner.grant_following_links(grant.source, grant.rights);
    }
  }
  for (const GrantOption &grant : options.grants) {
    if (grant.name) {
      planner.grant_at(*grant.name, grant.source, grant.follow_links, grant.rights);
    } else if (!grant.follow_links) {
      planner.grant_as_named(grant.source, grant.rights);
    }
  }
  return planner.take();
}

std::vector<PlannedGrant> plan_replacement(const std::string &path, const std::string &host_path) {
  Planner planner;
  planner.replace(path, host_path);
  return planner.take();
}

void grant_own_mounts(SandboxMounts mounts, server::Namespace &name_space) {
  // What the command line has put there stays.
  const auto unless_taken = [](const auto &grant) {
    try {
      grant();
    } catch (const std::system_error &) {
    }
  };
  if (mounts.processes) {
    unless_taken([&] { name_space.grant_processes("/proc", std::move(mounts.processes)); });
    for (const auto &[name, target] : {std::pair{"/dev/fd", "/proc/self/fd"},
                                       {"/dev/stdin", "/proc/self/fd/0"},
                                       {"/dev/stdout", "/proc/self/fd/1"},
                                       {"/dev/stderr", "/proc/self/fd/2"}}) {
      unless_taken([&, name = name, target = target] { name_space.make_symlink(name, target); });
    }
  }
  if (mounts.terminals) {
    unless_taken(
        [&] { name_space.grant_mount("/dev/pts", std::move(mounts.terminals), {.write = true}); });
    unless_taken([&] { name_space.make_symlink("/dev/ptmx", "pts/ptmx"); });
  }
}

void apply_grants(const std::vector<PlannedGrant> &grants, server::Namespace &name_space) {
  for (const PlannedGrant &grant : grants) {
    try {
      name_space.grant(grant.path, grant.host_path, grant.rights);
    } catch (const std::system_error &error) {
      refuse(grant.path, error.code().value());
    }
  }
}

}  // namespace plash::pola_run
