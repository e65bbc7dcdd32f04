#include "runtime/command/way_back.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/engine/rollback.h"
#include "runtime/net/smtp/client.h"

namespace plan::command {
namespace {

constexpr std::chrono::seconds kMessageTime{30};
constexpr int kConnectAttempts = 8;
constexpr std::chrono::milliseconds kConnectApart{400};

// A message for every account, at the target's port 25, as it would come while they live there:
// what a rollback has to carry.
Outcome send_to_everybody(const ir::StepGraph& graph, std::uint16_t port) {
  std::size_t number = 0;
  for (const ir::StepId step : graph.order()) {
    if (graph.role(step) != ir::TransactionRole::commit) continue;
    const std::string account(graph.arguments(step)["account"].string_or(""));
    net::smtp::ConnectOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    const net::Deadline deadline = net::Deadline::after(kMessageTime);
    auto client = net::smtp::Client::connect(options, deadline);
    // The target closes the sixth connection of a second before its greeting, as the real one does.
    for (int attempt = 1; !client && attempt < kConnectAttempts; ++attempt) {
      net::system_clock().sleep_for(kConnectApart);
      client = net::smtp::Client::connect(options, deadline);
    }
    if (!client) return std::move(client).error();
    const std::string text = fmt::format(
        "From: rehearsal@plan.invalid\r\nTo: {}\r\nSubject: rehearsal of the way back\r\n"
        "Message-ID: <rehearsal-{}@plan.invalid>\r\n\r\nThis came to the target.\r\n",
        account, ++number);
    PLAN_TRY(sent, (*client)->send({.sender = {}, .recipients = {account}}, text, deadline));
    (*client)->quit(deadline);
    if (!sent.is_accepted) {
      return Error(errors::rehearsal_failed,
                   fmt::format("the rehearsal's target does not take mail for {}", account))
          .with_detail(sent.reply.to_text());
    }
  }
  return {};
}

std::vector<engine::RollbackGoal> way_back(const ir::StepGraph& graph, bool& is_before_cutover) {
  for (const ir::StepId step : graph.order()) {
    if (graph.kind(step) != ir::StepKind::mark_rollback_point ||
        graph.stage(step) != ir::Stage::prepare)
      continue;
    is_before_cutover = true;
    return {
        engine::ToPoint{std::string(graph.arguments(step)["point"].string_or("before-cutover"))}};
  }
  std::vector<engine::RollbackGoal> goals;
  for (auto wave = graph.waves().rbegin(); wave != graph.waves().rend(); ++wave)
    goals.emplace_back(engine::OfWave{wave->name});
  return goals;
}

}  // namespace

Result<engine::RunResult> go_back(const engine::EngineParts& parts,
                                  const engine::EngineOptions& options,
                                  const LeftBehind& left_behind,
                                  std::optional<std::uint16_t> smtp_port) {
  if (smtp_port) {
    PLAN_TRY_VOID(send_to_everybody(parts.graph, *smtp_port));
    print_words("every account got a message at the target; now everybody goes back\n");
  } else {
    print_words("everybody goes back\n");
  }
  bool is_before_cutover = false;
  std::size_t looked_at = 0;
  engine::RunResult result;
  for (const engine::RollbackGoal& goal : way_back(parts.graph, is_before_cutover)) {
    PLAN_TRY(looks, engine::look_before_rollback(parts, options, goal, SIZE_MAX));
    for (const engine::RollbackLook& look : looks) {
      if (look.is_refused)
        return Error(errors::rehearsal_failed, look.account + ": cannot go back: " + look.text);
      if (smtp_port) print_result(fmt::format("{}: {}\n", look.account, look.text));
      ++looked_at;
    }
    PLAN_TRY(undone, engine::roll_back(parts, options, goal));
    result = std::move(undone);
    if (result.ending != report::Ending::finished) return result;
  }
  const auto accounts = static_cast<std::size_t>(std::count_if(
      parts.graph.order().begin(), parts.graph.order().end(),
      [&](ir::StepId step) { return parts.graph.role(step) == ir::TransactionRole::commit; }));
  if (looked_at < accounts) {
    return Error(
        errors::rehearsal_failed,
        fmt::format("only {} of {} accounts say what would be carried back", looked_at, accounts));
  }
  const std::vector<std::string> left = left_behind(is_before_cutover);
  if (!left.empty()) {
    return Error(errors::rehearsal_failed,
                 left.size() == 1 ? std::string("after the way back one thing is not as it was")
                                  : fmt::format("after the way back {} things are not as they were",
                                                left.size()))
        .with_detail(fmt::format("{}", fmt::join(left, "; ")));
  }
  print_words("everything is as it was before\n");
  return result;
}

}  // namespace plan::command
