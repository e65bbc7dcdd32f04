#include "compiler/schema/mta_container.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "compiler/source/text.h"

namespace plan::schema {
namespace {

constexpr std::string_view kTooManyConditions =
    "{} conditions, at most {} are read; one condition can name many domains: "
    "`contains(['a.org', 'b.org'], rcpt_domain)`";

using Names = std::vector<std::string_view>;

[[nodiscard]] Names joined(Names left, const Names& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// Constants of every place that takes a verification level, a transport choice and so on (6.4,
/// last paragraph).
const Names kConstants = {"relaxed",        "strict",    "disable",   "optional",
                          "require",        "ipv4_only", "ipv6_only", "ipv6_then_ipv4",
                          "ipv4_then_ipv6", "hourly",    "daily",     "weekly"};
const Names kVerification = {"relaxed", "strict", "disable"};
const Names kAggregation = {"hourly", "daily", "weekly", "disable"};
const Names kConnection = {"listener", "remote_ip", "remote_port", "local_ip", "local_port",
                           "protocol", "is_tls",    "asn",         "country"};
const Names kQueue = {"rcpt",          "rcpt_domain",      "recipients",        "sender",
                      "sender_domain", "priority",         "retry_num",         "notify_num",
                      "expires_in",    "last_status",      "last_error",        "queue_name",
                      "queue_age",     "received_from_ip", "received_via_port", "source",
                      "size"};

/// Each place has its variables; constants belong to single properties of it.
MtaContext with_constants(MtaContext context, Names constants) {
  context.constants = std::move(constants);
  return context;
}

struct Contexts {
  MtaContext http{"HTTP",
                  {"listener", "remote_ip", "remote_port", "local_ip", "local_port", "protocol",
                   "is_tls", "url", "url_original", "path", "headers", "method"},
                  {},
                  false};
  MtaContext connection{"connection", kConnection, {}, false};
  MtaContext connection_verification = with_constants(connection, kVerification);
  MtaContext ehlo{"EHLO", joined(kConnection, {"helo_domain"}), {}, false};
  MtaContext ehlo_mechanisms = with_constants(ehlo, {"plain", "login", "xoauth2", "oauthbearer"});
  MtaContext mail{
      "MAIL FROM", joined(kConnection, {"sender", "sender_domain", "authenticated_as"}), {}, false};
  MtaContext mail_priority = with_constants(mail, {"mixer", "stanag4406", "nsep"});
  MtaContext mail_frequency = with_constants(mail, kAggregation);
  MtaContext rcpt{
      "RCPT TO",
      joined(kConnection, {"sender", "sender_domain", "recipients", "rcpt", "rcpt_domain",
                           "authenticated_as", "priority", "helo_domain"}),
      {},
      false};
  MtaContext rcpt_verification = with_constants(rcpt, kVerification);
  MtaContext rcpt_frequency = with_constants(rcpt, kAggregation);
  MtaContext queue_recipient{"queue, recipient", kQueue, {}, false};
  MtaContext queue_host{"queue, host", joined(kQueue, {"mx", "remote_ip", "local_ip"}), {}, false};
  MtaContext queue_host_frequency = with_constants(queue_host, kAggregation);
  MtaContext queue_sender{"queue, sender",
                          {"sender", "sender_domain", "priority", "retry_num", "notify_num",
                           "expires_in", "last_status", "last_error"},
                          {},
                          false};
  MtaContext domain{"recipient domain", {"rcpt_domain"}, {}, false};
  MtaContext recipient{"recipient", {"rcpt"}, {}, false};
  MtaContext anything{"anywhere", {}, kConstants, true};
};

}  // namespace

const MtaContext& context_of(std::string_view structure, std::string_view property) {
  static const Contexts kContexts;
  const Contexts& contexts = kContexts;
  if (structure.starts_with("x:")) structure.remove_prefix(2);
  const auto is_one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), property) != names.end();
  };
  const bool is_frequency =
      is_one_of({"sendFrequency", "aggregateSendFrequency", "failureSendFrequency"});
  if (structure == "Http") return contexts.http;
  if (structure == "MtaInboundSession" || structure == "MtaStageConnect" ||
      structure == "MtaStageEhlo")
    return contexts.connection;
  if (structure == "MtaStageAuth") {
    if (property == "mustMatchSender") return contexts.mail;
    return property == "saslMechanisms" ? contexts.ehlo_mechanisms : contexts.ehlo;
  }
  if (structure == "MtaExtensions")
    return property == "mtPriority" ? contexts.mail_priority : contexts.mail;
  if (structure == "MtaStageMail") return contexts.mail;
  if (structure == "MtaStageRcpt")
    return is_one_of({"maxFailures", "waitOnFail", "maxRecipients"}) ? contexts.mail
                                                                     : contexts.rcpt;
  if (structure == "MtaStageData" || structure == "MtaInboundThrottle" || structure == "MtaHook" ||
      structure == "MtaMilter")
    return contexts.rcpt;
  if (structure == "SenderAuth") {
    if (is_one_of({"spfEhloVerify", "spfFromVerify", "reverseIpVerify"}))
      return contexts.connection_verification;
    return property.ends_with("Verify") ? contexts.rcpt_verification : contexts.rcpt;
  }
  if (structure == "SpfReportSettings")
    return is_frequency ? contexts.mail_frequency : contexts.mail;
  if (structure == "DkimReportSettings" || structure == "DmarcReportSettings")
    return is_frequency ? contexts.rcpt_frequency : contexts.rcpt;
  if (structure == "MtaOutboundStrategy")
    return is_one_of({"route", "schedule"}) ? contexts.queue_recipient : contexts.queue_host;
  if (structure == "MtaOutboundThrottle" || structure == "MtaQueueQuota")
    return contexts.queue_host;
  if (structure == "TlsReportSettings")
    return is_frequency ? contexts.queue_host_frequency : contexts.queue_host;
  if (structure == "DsnReportSettings") return contexts.queue_sender;
  if (structure == "ReportSettings") return contexts.domain;
  if (structure == "SubAddressingCustom") return contexts.recipient;
  return contexts.anything;
}

namespace {

struct Part {
  std::string name;
  const ir::Value* condition;
  const ir::Value* result;
};

/// The pairs of `match` in the order of their numbers.
[[nodiscard]] std::vector<Part> parts_of(const ir::Value& match) {
  std::vector<Part> parts;
  if (match.is_list()) {
    for (std::size_t i = 0; i < match.size() && i < kMatchesMax; ++i) {
      parts.push_back({fmt::format("match.{}", i), &match.item(i)["if"], &match.item(i)["then"]});
    }
    return parts;
  }
  std::map<unsigned long, Part> ordered;
  for (const auto& [key, member] : match.members()) {
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos)
      continue;
    if (ordered.size() >= kMatchesMax) break;
    ordered.insert_or_assign(std::stoul(key), Part{"match." + key, &member["if"], &member["then"]});
  }
  for (auto& [number, part] : ordered) parts.push_back(std::move(part));
  return parts;
}

}  // namespace

std::vector<ExpressionProblem> check_container(const ir::Value& container,
                                               const MtaContext& context, MtaResult wanted) {
  std::vector<ExpressionProblem> problems;
  const auto check = [&](const std::string& part, const ir::Value& text, MtaResult result) {
    if (!text.is_string() || text.as_string().empty() || problems.size() >= kProblemsMax) return;
    MtaError error;
    if (const auto parsed = parse_mta_expression(text.as_string(), context, &error)) {
      auto wrong = wrong_result(*parsed, text.as_string(), result, context);
      if (!wrong) return;
      error = std::move(*wrong);
    }
    problems.push_back({part, error.offset, std::move(error.message), std::move(error.nearest),
                        error.is_refused_by_server});
  };
  if (container["match"].size() > kMatchesMax) {
    problems.push_back(
        {"match", 0,
         fmt::format(kTooManyConditions, show_count(container["match"].size()), kMatchesMax), "",
         false});
  }
  for (const Part& part : parts_of(container["match"])) {
    check(part.name + ".if", *part.condition, MtaResult::anything);
    check(part.name + ".then", *part.result, wanted);
  }
  check("else", container["else"], wanted);
  return problems;
}

Result<MtaContainer> MtaContainer::parse(const ir::Value& container, const MtaContext& context) {
  MtaContainer parsed;
  const auto read = [&](const std::string& part, const ir::Value& text,
                        MtaExpression& into) -> Outcome {
    MtaError error;
    auto expression = parse_mta_expression(text.string_or(""), context, &error);
    if (!expression) {
      return Error(errors::bad_expression,
                   fmt::format("byte {} of `{}`: {}", error.offset,
                               printable(text.string_or(""), 200), error.message))
          .with_argument(part);
    }
    into = std::move(*expression);
    return {};
  };
  if (container["match"].size() > kMatchesMax) {
    return Error(
               errors::bad_expression,
               fmt::format(kTooManyConditions, show_count(container["match"].size()), kMatchesMax))
        .with_argument("match");
  }
  for (const Part& part : parts_of(container["match"])) {
    Arm arm;
    PLAN_TRY_VOID(read(part.name + ".if", *part.condition, arm.condition));
    PLAN_TRY_VOID(read(part.name + ".then", *part.result, arm.result));
    arm.text = part.condition->string_or("");
    parsed.arms_.push_back(std::move(arm));
  }
  PLAN_TRY_VOID(read("else", container["else"], parsed.otherwise_));
  parsed.index_arms();
  return parsed;
}

}  // namespace plan::schema
