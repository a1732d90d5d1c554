// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/summary.h"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>

namespace plash::stress {

bool all_held(const Report &report) {
  return std::all_of(report.outcomes.begin(), report.outcomes.end(),
                     [](const Outcome &outcome) { return outcome.failure_count == 0; });
}

std::vector<WindowHits> total_windows(const Report &report) {
  std::vector<WindowHits> total;
  for (const Outcome &outcome : report.outcomes) {
    for (const WindowHits &window : outcome.windows) {
      const auto same = std::find_if(total.begin(), total.end(), [&](const WindowHits &other) {
        return other.name == window.name;
      });
      if (same == total.end()) {
        total.push_back(window);
      } else {
        same->hits += window.hits;
      }
    }
  }
  return total;
}

void print_table(std::ostream &out, const Report &report) {
  out << std::left << std::setw(11) << "scenario" << std::right << std::setw(9) << "seconds"
      << std::setw(12) << "calls" << std::setw(11) << "signals" << std::setw(11) << "in flight"
      << std::setw(10) << "failures" << std::setw(11) << "FDs" << std::setw(12) << "worst, ms"
      << "  at\n";
  for (const Outcome &outcome : report.outcomes) {
    out << std::left << std::setw(11) << outcome.scenario << std::right << std::fixed
        << std::setprecision(1) << std::setw(9) << outcome.seconds << std::setw(12) << outcome.calls
        << std::setw(11) << outcome.signals << std::setw(11) << outcome.in_flight << std::setw(10)
        << outcome.failure_count << std::setw(11)
        << std::to_string(outcome.descriptors_before) + " - " +
               std::to_string(outcome.descriptors_after)
        << std::setw(12) << std::setprecision(2) << outcome.worst_milliseconds << "  "
        << outcome.worst_operation << '\n';
  }
  const std::vector<WindowHits> windows = total_windows(report);
  const bool any = std::any_of(windows.begin(), windows.end(),
                               [](const WindowHits &window) { return window.hits != 0; });
  if (any) out << "\nsignals that came in the middle of a call, by where in it\n";
  for (const WindowHits &window : windows) {
    if (!any) break;
    out << "  " << std::left << std::setw(28) << window.name << std::right << std::setw(12)
        << window.hits << '\n';
  }
  for (const Outcome &outcome : report.outcomes) {
    for (const std::string &note : outcome.notes) out << outcome.scenario << ": " << note << '\n';
  }
  for (const Outcome &outcome : report.outcomes) {
    for (const std::string &failure : outcome.failures)
      out << "FAILED: " << outcome.scenario << ": " << failure << '\n';
    if (outcome.failure_count > outcome.failures.size())
      out << "FAILED: " << outcome.scenario << ": "
          << outcome.failure_count - outcome.failures.size() << " more\n";
  }
  if (all_held(report)) {
    out << "\nAll held. Seed " << report.seed << ", door " << name_of(report.door) << ".\n";
  } else {
    out << "\nFailed with seed " << report.seed << ". To repeat:\n  " << report.command << '\n';
  }
}

void print_json(std::ostream &out, const Report &report) {
  nlohmann::json scenarios = nlohmann::json::array();
  const auto windows_of = [](const std::vector<WindowHits> &windows) {
    nlohmann::json list = nlohmann::json::array();
    for (const WindowHits &window : windows)
      list.push_back({{"window", window.name}, {"signals", window.hits}});
    return list;
  };
  for (const Outcome &outcome : report.outcomes) {
    scenarios.push_back({{"scenario", outcome.scenario},
                         {"seconds", outcome.seconds},
                         {"calls", outcome.calls},
                         {"signals", outcome.signals},
                         {"in_flight", outcome.in_flight},
                         {"windows", windows_of(outcome.windows)},
                         {"failure_count", outcome.failure_count},
                         {"failures", outcome.failures},
                         {"notes", outcome.notes},
                         {"descriptors_before", outcome.descriptors_before},
                         {"descriptors_after", outcome.descriptors_after},
                         {"worst_milliseconds", outcome.worst_milliseconds},
                         {"worst_operation", outcome.worst_operation}});
  }
  const nlohmann::json document = {{"door", name_of(report.door)},
                                   {"seed", report.seed},
                                   {"command", report.command},
                                   {"held", all_held(report)},
                                   {"windows", windows_of(total_windows(report))},
                                   {"scenarios", scenarios}};
  out << document.dump(2) << '\n';
}

}  // namespace plash::stress
