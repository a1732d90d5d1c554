// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plash-stress: whether calls hold in signal handlers, threads and children. Its manual page is
// plash-stress.1.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <map>
#include <random>

#include "tools/stress/exec_in_handler.h"
#include "tools/stress/launch.h"
#include "tools/stress/scenario.h"
#include "tools/stress/summary.h"
#include "tools/stress/worker.h"

namespace plash::stress {
namespace {

constexpr int status_failed = 1;
constexpr int status_usage = 2;
constexpr int status_unavailable = 77;  // what test runners take for "skipped"

struct CommandLine {
  LaunchOptions launch;
  unsigned seconds = 60;
  bool list = false;
  bool json = false;
  bool fail_fast = false;
  int worker = -1;
  std::vector<std::string> after_exec;
  std::vector<std::string> scenarios;
};

const std::map<std::string, Door> doors = {{"none", Door::none},
                                           {"call", Door::call},
                                           {"preload", Door::preload},
                                           {"glibc", Door::glibc},
                                           {"loader", Door::loader}};

void declare(CLI::App &app, CommandLine &line) {
  app.add_flag("--list", line.list, "List the scenarios and end");
  app.add_option("--seconds", line.seconds,
                 "Time for all scenarios together; those that are exhaustive take what they take")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--seed", line.launch.seed, "Of all random choices; otherwise one is drawn");
  app.add_option("--threads", line.launch.threads, "That work at the same time")
      ->check(CLI::Range(1u, max_threads));
  app.add_option("--rate", line.launch.rate, "Signals a second and thread; otherwise it varies")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--door", line.launch.door,
                 "preload, glibc, loader: how calls reach the server; none: natively, the control; "
                 "call: the call alone")
      ->transform(CLI::CheckedTransformer(doors));
  app.add_flag("--json", line.json, "Print the summary as JSON");
  app.add_flag("--fail-fast", line.fail_fast, "End after the first scenario that fails");
  app.add_option("--worker", line.worker)->group("");
  app.add_option("--after-exec", line.after_exec)->expected(3)->group("");
  app.add_option("scenario", line.scenarios, "Scenarios to run (default: all)");
}

std::vector<const Scenario *> chosen_scenarios(const CommandLine &line) {
  std::vector<const Scenario *> chosen;
  for (const Scenario &scenario : scenarios()) {
    if (line.scenarios.empty() || std::find(line.scenarios.begin(), line.scenarios.end(),
                                            scenario.name) != line.scenarios.end())
      chosen.push_back(&scenario);
  }
  return chosen;
}

std::string command_to_repeat(const std::string &name, const CommandLine &line) {
  std::string command = name + " --door=" + name_of(line.launch.door) +
                        " --seed=" + std::to_string(line.launch.seed) +
                        " --seconds=" + std::to_string(line.seconds) +
                        " --threads=" + std::to_string(line.launch.threads);
  if (line.launch.rate != 0) command += " --rate=" + std::to_string(line.launch.rate);
  for (const std::string &scenario : line.scenarios) command += " " + scenario;
  return command;
}

void show_progress(const Outcome &outcome) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::cerr << "\r\033[K" << outcome.scenario << "  " << static_cast<int>(outcome.seconds) << " s  "
            << outcome.calls << " calls  " << outcome.signals << " signals  " << outcome.in_flight
            << " in flight  " << outcome.failure_count << " failures" << std::flush;
}

int run(const std::string &name, CommandLine &line) {
  const std::string reason = why_unavailable(line.launch.door);
  if (!reason.empty()) {
    std::cerr << "plash-stress: door " << name_of(line.launch.door)
              << " cannot be tried here: " << reason << '\n';
    return status_unavailable;
  }
  Report report{line.launch.door, line.launch.seed, command_to_repeat(name, line), {}};
  std::cerr << "plash-stress: seed " << line.launch.seed << '\n';
  const auto chosen = chosen_scenarios(line);
  unsigned shares = 0;
  for (const Scenario *scenario : chosen) shares += scenario->share;
  double left = line.seconds;
  for (const Scenario *scenario : chosen) {
    // Not less than a second: a scenario that does nothing proves nothing.
    const double seconds =
        scenario->share == 0 ? 0 : std::max(1.0, left * scenario->share / shares);
    report.outcomes.push_back(run_scenario(
        *scenario, line.launch, static_cast<std::uint64_t>(seconds * 1000), show_progress));
    left -= report.outcomes.back().seconds;
    shares -= scenario->share;
    if (line.fail_fast && !all_held(report)) break;
  }
  if (isatty(STDERR_FILENO) != 0) std::cerr << "\r\033[K";
  if (line.json) {
    print_json(std::cout, report);
  } else {
    print_table(std::cout, report);
  }
  return all_held(report) ? 0 : status_failed;
}

int main_of(int argc, char **argv) {
  CLI::App app("Whether calls hold in signal handlers, threads and children.", "plash-stress");
  CommandLine line;
  line.launch.seed = std::random_device()();
  declare(app, line);
  try {
    app.parse(argc, argv);
    for (const std::string &name : line.scenarios) {
      if (find_scenario(name.c_str()) == nullptr)
        throw CLI::ValidationError("scenario", "there is none of the name " + name);
    }
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : status_usage;
  }
  if (line.worker >= 0) return run_worker(line.worker);
  if (line.after_exec.size() == 3)
    return run_after_exec(std::stoi(line.after_exec[0]), line.after_exec[1],
                          std::stoi(line.after_exec[2]));
  if (line.list) {
    for (const Scenario &scenario : scenarios())
      std::cout << scenario.name << "\t" << scenario.summary << '\n';
    return 0;
  }
  return run(argv[0], line);
}

}  // namespace
}  // namespace plash::stress

int main(int argc, char **argv) {
  try {
    return plash::stress::main_of(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "plash-stress: " << error.what() << '\n';
    return 2;
  }
}
