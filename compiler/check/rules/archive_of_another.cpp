// Prevents: the archive of one account in the steps of another one. An archive is filled from the
// account that a step names, and brought to that account's mailbox on the target whole: with one
// file for two, mail of either would be in both, and no comparison would miss any (design.md 6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::array kOfArchive = {StepKind::archive_copy, StepKind::archive_delta,
                                   StepKind::archive_grade, StepKind::archive_sweep};

/// One text for one file, however its path is written: they are all below the plan's folder.
[[nodiscard]] std::string file_of(std::string_view path) {
  std::string text = std::filesystem::path(path).lexically_normal().generic_string();
  constexpr std::string_view kFolder = "/.plan/";
  if (const std::size_t at = text.rfind(kFolder); at != std::string::npos && text.front() == '/')
    text.erase(0, at + kFolder.size());
  return text;
}

/// The shape says by itself that each row has its own file, as it nearly always does.
[[nodiscard]] bool is_own_by_shape(const ir::StepShape& shape) {
  return ir::row_member(shape.arguments["file"]) == "file" &&
         ir::row_member(shape.arguments["account"]) == "address";
}

class Rule {
 public:
  Rule(const GraphView& view, Sink& sink) : view_(view), sink_(sink) {}

  void run() {
    for (const StepKind kind : kOfArchive) {
      for (const StepId step : view_.of_kind(kind))
        (is_own_by_shape(view_.graph().shape(step)) ? own_ : others_).push_back(step);
    }
    if (others_.empty()) return;
    // Who has a file by the plan's own name for it has it, whatever else is called so.
    for (const StepId step : own_) take(step);
    for (const StepId step : others_) take(step);
  }

 private:
  void take(StepId step) {
    const ir::StepGraph& graph = view_.graph();
    std::string account = lower_ascii(graph.argument(step, "account").string_or(""));
    std::string file = file_of(graph.argument(step, "file").string_or(""));
    if (account.empty() || file.empty()) return;
    const std::string& owner = owner_of_.emplace(file, account).first->second;
    const std::string& first = file_of_.emplace(account, file).first->second;
    if (owner != account) {
      say(step,
          fmt::format("works on the archive `{}`, which is that of {}, for {}",
                      printable(file, 160), printable(owner, 120), printable(account, 120)),
          "mail of one of them would go into the mailbox of the other");
    } else if (first != file) {
      say(step,
          fmt::format("works on the archive `{}`, and another step of {} on `{}`",
                      printable(file, 160), printable(account, 120), printable(first, 160)),
          "what one of them has copied the other one does not see");
    }
  }

  void say(StepId step, std::string_view what, std::string_view label) {
    if (!said_.insert(&view_.graph().shape(step)).second) return;
    report_step(view_, step, Kind::move_unproved, what, sink_)
        .severity(Severity::error)
        .label(std::string(label))
        .help("write `file = account.file` in all steps of the kinds `archive.*`");
  }

  const GraphView& view_;
  Sink& sink_;
  std::vector<StepId> own_;
  std::vector<StepId> others_;
  std::unordered_map<std::string, std::string> owner_of_;  // by file: the first account
  std::unordered_map<std::string, std::string> file_of_;   // by account: its first file
  std::set<const ir::StepShape*> said_;
};

}  // namespace

void archive_of_another(const GraphView& view, Sink& sink) { Rule(view, sink).run(); }

}  // namespace plan::check::rules
