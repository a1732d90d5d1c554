// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The lookup of execve(2): permission, #! lines, the ELF interpreter.
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "tools/server/target.h"

namespace plash::server {
namespace {

constexpr std::size_t first_bytes = 256;  // BINPRM_BUF_SIZE: what the kernel looks at
constexpr int max_interpreters = 5;       // the kernel gives ELOOP beyond
constexpr std::size_t max_interpreter_path = 4096;

struct Script {
  std::string interpreter;
  std::string argument;
};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Reads a #! line as the kernel does: an interpreter, then the rest of the line as one argument.
// False where the line names none.
bool parse_script(std::string line, Script &script) {
  const auto end = line.find('\n');
  const bool whole = end != std::string::npos || line.size() < first_bytes;
  // The kernel puts a NUL behind what it has read, over the last byte.
  line.resize(std::min({end, line.size(), first_bytes - 1}));
  if (const auto nul = line.find('\0'); nul != std::string::npos) line.resize(nul);
  std::size_t at = 2;
  while (at < line.size() && is_blank(line[at])) ++at;
  std::size_t stop = at;
  while (stop < line.size() && !is_blank(line[stop])) ++stop;
  // A name that the buffer cut off must not be taken for another.
  if (at == stop || (!whole && stop == line.size())) return false;
  script.interpreter = line.substr(at, stop - at);
  while (stop < line.size() && is_blank(line[stop])) ++stop;
  std::size_t last = line.size();
  while (last > stop && is_blank(line[last - 1])) --last;
  script.argument = line.substr(stop, last - stop);
  return true;
}

// PT_INTERP of an ELF file, empty where there is none.
std::string elf_interpreter(int fd) {
  Elf64_Ehdr header;
  if (::pread(fd, &header, sizeof header, 0) != sizeof header ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return "";
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const auto offset = static_cast<off_t>(header.e_phoff + i * sizeof segment);
    if (::pread(fd, &segment, sizeof segment, offset) != sizeof segment) return "";
    if (segment.p_type != PT_INTERP || segment.p_filesz < 2 ||
        segment.p_filesz > max_interpreter_path)
      continue;
    std::string path(segment.p_filesz, '\0');
    if (::pread(fd, path.data(), path.size(), static_cast<off_t>(segment.p_offset)) !=
        static_cast<ssize_t>(path.size()))
      return "";
    path.resize(std::strlen(path.c_str()));
    return path;
  }
  return "";
}

// A descriptor that the file can be read from and executed by. 0 or -errno.
int open_executable(const Target &target, UniqueFd &file, bool &readable) {
  if (target.is_directory || !S_ISREG(target.status.stx_mode)) return -EACCES;
  const int fd = target.fd.get();
  if (::faccessat(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) return -errno;
  file.reset(::open(descriptor_path(fd).c_str(), O_RDONLY | O_CLOEXEC));
  readable = static_cast<bool>(file);
  // May be executed but not read: the kernel can still do that.
  if (!file) file.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return file ? 0 : -ENFILE;
}

}  // namespace

int handle(Context &context, const methods::Exec::Request &request, methods::Exec::Reply &reply) {
  std::vector<std::string> prefix;
  std::string path(view(request.path));
  std::uint64_t flags = request.flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
  std::string interpreter;
  for (int depth = 0;; ++depth) {
    Target target;
    // The script may have been given by a descriptor of its file, its interpreter's path starts
    // elsewhere.
    const int base = depth != 0 && path.front() == '/' ? -1 : request.base;
    const int error = find_target(context, base, Bytes{path.data(), path.size()}, flags, target);
    if (error != 0) return error;
    if (S_ISLNK(target.status.stx_mode) || (target.node != nullptr && target.node->link))
      return -ELOOP;
    bool readable = false;
    const int opened = open_executable(target, context.fd, readable);
    if (opened != 0) return opened;
    if (!readable) break;
    std::string start(first_bytes, '\0');
    const ssize_t size = ::pread(context.fd.get(), start.data(), start.size(), 0);
    start.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (start.compare(0, 2, "#!") != 0) {
      interpreter = elf_interpreter(context.fd.get());
      break;
    }
    if (depth == max_interpreters) return -ELOOP;
    Script script;
    const bool no_line = start.find('\n') == std::string::npos && start.size() < first_bytes;
    // Without a line's end, what is missing is an empty path to the kernel: the working directory.
    if (!parse_script(std::move(start), script)) return no_line ? -EACCES : -ENOEXEC;
    std::vector<std::string> arguments{script.interpreter};
    if (!script.argument.empty()) arguments.push_back(script.argument);
    // The script's own path, which stands behind its interpreter: the caller's for the outermost,
    // the interpreter's for a nested one.
    prefix.insert(prefix.begin(), arguments.begin(), arguments.end());
    path = script.interpreter;
    flags = 0;
  }
  for (const std::string &argument : prefix)
    context.bytes.append(argument.c_str(), argument.size() + 1);
  context.more_bytes = interpreter;
  if (context.bytes.size() + interpreter.size() > request.size) return -E2BIG;
  reply.file = context.fd.get();
  reply.prefix_count = prefix.size();
  reply.prefix = {context.bytes.data(), context.bytes.size()};
  reply.interpreter = {context.more_bytes.data(), context.more_bytes.size()};
  return 0;
}

}  // namespace plash::server
