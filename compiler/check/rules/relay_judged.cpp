// Prevents: mail between two users that the source refuses or marks as spam, because it comes from
// the target and the source judges it like a stranger's: its name, its SPF, its reputation (the
// published guide's troubleshooting: relayed mail is bounced, the EHLO name is refused).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// Settings of Postfix with the words in them that judge who sends; no word: any value does.
struct Judge {
  const char* name = nullptr;
  std::array<std::string_view, 4> words = {};
};

constexpr std::array kJudges = {
    Judge{"source.smtpd_milters", {}},
    Judge{"source.content_filter", {}},
    Judge{"source.smtpd_helo_restrictions",
          {"reject_non_fqdn_helo", "reject_unknown_helo", "reject_invalid_helo", ""}},
    Judge{"source.smtpd_client_restrictions",
          {"reject_unknown_client", "reject_rbl_client", "reject_unknown_reverse", ""}},
    Judge{"source.smtpd_recipient_restrictions",
          {"check_policy_service", "reject_rbl_client", "reject_unknown_reverse",
           "reject_unknown_client"}},
};

bool judges(const Judge& judge, std::string_view value) {
  if (trim(value).empty()) return false;
  if (judge.words[0].empty()) return true;
  for (const std::string_view word : judge.words) {
    if (!word.empty() && value.find(word) != std::string_view::npos) return true;
  }
  return false;
}

bool holds(std::string_view networks, std::string_view ip) {
  std::string plain;
  for (const char c : networks) {
    if (c != '[' && c != ']') plain += c == ',' || c == '\n' || c == '\t' ? ' ' : c;
  }
  // The first that fits decides, and `!` shuts out.
  for (std::string_view network : split(plain, ' ')) {
    const bool is_shut_out = network.starts_with('!');
    if (is_shut_out) network.remove_prefix(1);
    if (is_ip_in_network(ip, network)) return !is_shut_out;
  }
  return false;
}

/// Refuses who sends with the address of an account and has not logged in: the target does, for
/// every user who has moved.
constexpr std::array<std::string_view, 2> kOwners = {
    "reject_sender_login_mismatch", "reject_unauthenticated_sender_login_mismatch"};

/// The first of those words that nothing in front of it lets the target pass; empty: none.
std::string_view refuses_owners(std::string_view restrictions, bool is_in_networks) {
  for (std::size_t at = 0; at < restrictions.size();) {
    const std::size_t begin = restrictions.find_first_not_of(", \t\n", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end =
        std::min(restrictions.find_first_of(", \t\n", begin), restrictions.size());
    const std::string_view word = restrictions.substr(begin, end - begin);
    if (word == "permit_mynetworks" && is_in_networks) return {};
    for (const std::string_view owner : kOwners) {
      if (word == owner) return owner;
    }
    at = end;
  }
  return {};
}

void look_at_owners(const Migration& migration, bool is_in_networks, Sink& sink) {
  if (setting(migration, "source.smtpd_sender_login_maps").string_or("").empty()) return;
  for (const char* name :
       {"source.smtpd_sender_restrictions", "source.smtpd_client_restrictions",
        "source.smtpd_helo_restrictions", "source.smtpd_recipient_restrictions"}) {
    const std::string_view word =
        refuses_owners(setting(migration, name).string_or(""), is_in_networks);
    if (word.empty()) continue;
    const Named& target = migration.plan.target_address;
    sink.report(Kind::relay_judged, target.span,
                fmt::format("the source refuses what its own users send from the target `{}`: `{}`",
                            printable(target.text, 80), word))
        .severity(Severity::error)
        .label("mail of those who have moved to those who have not is bounced: nobody logged in")
        .help(fmt::format("put `permit_mynetworks` in front of it in `{}` and the target's address "
                          "into `mynetworks` until finalize; then run `plan fetch`",
                          std::string_view(name).substr(7)));
    return;
  }
}

}  // namespace

void relay_judged(const Migration& migration, Sink& sink) {
  const ir::Value& networks = setting(migration, "source.mynetworks");
  const Named& target = migration.plan.target_address;
  if (!networks.is_string() || !is_ip_address(target.text)) return;
  const bool is_in_networks = holds(networks.as_string(), target.text);
  look_at_owners(migration, is_in_networks, sink);
  if (is_in_networks) return;
  std::string words;
  for (const Judge& judge : kJudges) {
    if (!judges(judge, setting(migration, judge.name).string_or(""))) continue;
    words +=
        fmt::format("{}`{}`", words.empty() ? "" : ", ", std::string_view(judge.name).substr(7));
  }
  if (words.empty()) return;
  sink.report(Kind::relay_judged, target.span,
              fmt::format("the source judges mail of the target `{}` like a stranger's: {}",
                          printable(target.text, 80), words))
      .label("what users who have moved send to others may be refused or marked as spam there")
      .help(
          "add the target's address to `mynetworks` of Postfix until finalize, and let its milters "
          "trust it; then run `plan fetch`");
}

}  // namespace plan::check::rules
