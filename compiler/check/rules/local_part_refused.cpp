// Prevents: an address that the target cannot have. Its local parts are unquoted: letters, digits
// and a few signs, no dot at the ends and no two in a row (reference/stalwart-admin.md 1.7).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::string_view kSigns = ".!#$%&'*+-/=?^_{|}~`";

std::string_view why_refused(std::string_view address) {
  const std::string_view local = address.substr(0, address.rfind('@'));
  if (local.empty()) return "it has no local part";
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos)
    return "a dot at an end, or two in a row";
  for (const char c : local) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80;
    if (!is_letter && kSigns.find(c) == std::string_view::npos)
      return "a character that needs quotes";
  }
  return {};
}

}  // namespace

void local_part_refused(const Migration& migration, Sink& sink) {
  Examples examples;
  std::string_view why;
  const auto look = [&](const std::string& address, Span span) {
    const std::string_view reason = why_refused(address);
    if (reason.empty()) return;
    if (examples.count == 0) why = reason;
    examples.add(address, span);
  };
  for (const Account& account : migration.accounts) {
    look(account.lock->address, account.lock->span);
    for (const std::string& alias : account.lock->aliases) look(alias, account.lock->span);
  }
  for (const MailList& list : migration.lists) look(list.lock->address, list.lock->span);
  if (examples.count == 0) return;
  sink.report(Kind::local_part_refused, examples.first,
              fmt::format("the target takes {}: {}",
                          examples.count == 1
                              ? std::string("no such address")
                              : fmt::format("none of {} addresses", show_count(examples.count)),
                          examples.text()))
      .label(std::string(why))
      .help("rename it at the source and run `plan fetch`, or leave it out with `except`");
}

}  // namespace plan::check::rules
