// Prevents: a deny file, a transport map or a configuration of plan's own that is a file which the
// source needs: its users, its settings, or another one of plan's. Plan writes these whole, so the
// users would be denied, or the server would not start (reference/split-delivery.md 3 and 9.4).
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

struct OwnFile {
  StepKind kind = {};
  const char* argument = nullptr;
  const char* server = nullptr;  ///< key below `source`
  std::string_view what = {};
};

constexpr std::array<OwnFile, 6> kOwn = {{
    {StepKind::dovecot_door, "deny_file", "dovecot", "the deny file"},
    {StepKind::dovecot_deny, "deny_file", "dovecot", "the deny file"},
    {StepKind::dovecot_door, "configuration", "dovecot", "the configuration of the door"},
    {StepKind::postfix_hook, "transport_map", "postfix", "the transport map"},
    {StepKind::postfix_hold, "transport_map", "postfix", "the transport map"},
    {StepKind::postfix_forward, "transport_map", "postfix", "the transport map"},
}};

/// Files that the source cannot do without, by what they are.
std::map<std::string, std::string, std::less<>> files_of_source(const Plan& plan) {
  std::map<std::string, std::string, std::less<>> files;
  const auto add = [&](std::string_view path, std::string_view what) {
    if (!path.empty()) files.emplace(std::string(path), std::string(what));
  };
  add(plan.source["dovecot"]["users_file"].string_or(""), "the file of the users");
  add(plan.accounts_from["passwd_file"].string_or(""), "the file of the users");
  add(plan.source["dovecot"]["config"].string_or(""), "Dovecot's configuration");
  const std::string postfix(plan.source["postfix"]["config_directory"].string_or("/etc/postfix"));
  for (const char* name : {"main.cf", "master.cf"})
    add(postfix + "/" + name, "Postfix's configuration");
  add("/etc/passwd", "the machine's users");
  add("/etc/aliases", "the machine's aliases");
  return files;
}

/// Where the plan names this file of plan's own; else the block of the server.
Span place_of(const Plan& plan, const OwnFile& file, std::string_view path) {
  const Span block = plan.place("source", file.server);
  const syntax::Node* source = plan.tree == nullptr ? nullptr : plan.tree->find("source");
  const syntax::Node* server = source == nullptr ? nullptr : source->find(file.server);
  if (server == nullptr) return block;
  if (const syntax::Node* value = server->find(file.argument);
      value != nullptr && !value->is_null())
    return value->span;
  // Its own path is the default: what the author named is the other one.
  for (const syntax::Entry& entry : server->entries) {
    if (entry.value.is_scalar() && entry.value.text == path) return entry.value.span;
  }
  return block;
}

}  // namespace

void source_file_taken(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const Plan& plan = view.plan();
  const auto needed = files_of_source(plan);
  std::map<std::string, std::string_view> own;
  std::set<std::string> said;
  for (const OwnFile& one : kOwn) {
    std::set<const ir::StepShape*> seen;
    for (const StepId step : view.of_kind(one.kind)) {
      if (!seen.insert(&graph.shape(step)).second) continue;
      const ir::Value given = graph.argument(step, one.argument);
      const std::string path(given.string_or(""));
      if (path.empty() || said.contains(path)) continue;
      const bool is_of_plan = plan.source[one.server][one.argument] == given;
      const Span place = is_of_plan ? place_of(plan, one, path) : graph.origin(step);
      const auto say = [&](std::string_view other) {
        said.insert(path);
        sink.report(Kind::source_file_taken, place,
                    fmt::format("{} that `{}` writes is `{}`, which is {}", one.what,
                                printable(graph.id(step), 160), printable(path, 120), other))
            .label("plan writes this file whole")
            .help("name a file of its own, which nothing else reads");
      };
      if (const auto found = needed.find(path); found != needed.end()) {
        say(found->second);
        continue;
      }
      const auto [known, is_new] = own.emplace(path, one.what);
      if (!is_new && known->second != one.what) say(fmt::format("{} too", known->second));
    }
  }
}

}  // namespace plan::check::rules
