#include "runtime/archive/target_texts.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/dav/client.h"

namespace plan::archive {
namespace {

using net::dav::Kind;

/// `\\`, `\,`, `\;` of a TEXT value.
std::string unescaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

}  // namespace

std::string uid_of_text(std::string_view text) {
  int depth = 0;
  bool is_card = false;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    line.clear();
    // One logical line: what begins with white space goes on (RFC 5545 3.1, RFC 6350 3.2).
    do {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string_view piece = text.substr(at, end - at);
      if (piece.ends_with('\r')) piece.remove_suffix(1);
      if (!line.empty()) piece.remove_prefix(1);
      line += piece;
      at = end + 1;
    } while (!line.empty() && at < text.size() && (text[at] == ' ' || text[at] == '\t'));
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = lower_ascii(line.substr(0, std::min(colon, line.find(';'))));
    const std::string_view value = std::string_view(line).substr(colon + 1);
    if (name == "begin") {
      ++depth;
      is_card = is_card || equals_ignoring_case(trim(value), "vcard");
    } else if (name == "end") {
      --depth;
    } else if (name == "uid" && depth == (is_card ? 1 : 2)) {
      return unescaped(trim(value));  // that of an alarm lies deeper
    }
  }
  return {};
}

std::string component_of_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = lower_ascii(trim(text.substr(at, end - at)));
    at = end + 1;
    if (!line.starts_with("begin:v")) continue;
    const std::string component = line.substr(std::string_view("begin:").size());
    if (component == "vcard") return {};
    if (component != "vcalendar" && component != "vtimezone") return component;
  }
  return {};
}

Result<std::string> TargetTexts::find(Kind kind, const TargetEntry& entry) {
  if (!texts_.contains(kind)) PLAN_TRY_VOID(read(kind));
  const auto [begin, end] = texts_.at(kind).equal_range(entry.uid);
  for (auto at = begin; at != end; ++at) {
    PLAN_TRY(parsed, parse_at_target(target_, kind, {at->second}, {entry.uid}));
    const auto& seen = parsed.front().entry;
    if (seen && entry_digest(kind, *seen) == entry.digest) return at->second;
  }
  return std::string();
}

Outcome TargetTexts::read(Kind kind) {
  const net::dav::Client client(target_.http(), Blame::target);
  const std::string path = fmt::format("/dav/{}/{}/", kind == Kind::calendar ? "cal" : "card",
                                       net::percent_encode(account_));
  PLAN_TRY(homes, client.homes(path).while_doing("reading texts of the target over DAV"));
  auto& texts = texts_[kind];
  for (const net::dav::Collection& collection : homes.collections) {
    if (collection.kind != kind) continue;
    PLAN_TRY(listed, client.list(collection));
    std::vector<std::string> hrefs;
    hrefs.reserve(listed.size());
    for (const net::dav::ItemState& state : listed) hrefs.push_back(state.href);
    PLAN_TRY(fetched, client.fetch(collection, hrefs));
    for (net::dav::Item& item : fetched.items) {
      std::string uid = uid_of_text(item.text);
      texts.emplace(std::move(uid), std::move(item.text));
    }
  }
  return {};
}

}  // namespace plan::archive
