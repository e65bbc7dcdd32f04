#include "normalise.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <regex>
#include <set>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;

bool is_error(const Value& parent, std::string_view path, std::string_view type) {
  return parent["type"].is_string() && (parent["status"].is_number() || type == "error" ||
                                        path.find("/not") != std::string_view::npos);
}

// Why a member of `parent` is not compared; nullptr: it is.
const char* why_ignored(std::string_view member, const Value& parent, std::string_view path,
                        std::string_view type) {
  constexpr const char* kWording = "the server's own wording";
  if (member == "description" || member == "detail" || member == "title")
    return is_error(parent, path, type) ? kWording : nullptr;
  if (member == "failureReason" || member == "errorMessage") return kWording;
  if (member == "value")
    return path.find("/validationErrors") != std::string_view::npos
               ? "what was refused, cut or quoted as the server likes"
               : nullptr;
  if (member == "sessionState") return "changes with each start and reload of the process";
  if (member == "state" && parent["capabilities"].is_map())
    return "of a session: changes with each start and reload of the process";
  if (member == "implementation") return "the rehearsal names itself";
  if (member == "issuer" && parent["token_endpoint"].is_string())
    return "the URL that the process is reached by";
  if (member == "publicKey" || member == "dnsZoneFile") return "a key that the server made";
  if (member == "applicationServerKey") return "a key made at the first start";
  // Of a message in the queue the recording has not kept the text, nor the recorder's network.
  if (parent["receivedFromIp"].is_string() && (member == "size" || member == "receivedFromIp"))
    return "of a queued message: its text and its sender's address were not kept";
  if (member == "receivedViaPort" && parent[member].integer_or(0) > 1024)
    return "a port that was opened for the recording";
  return nullptr;
}

const std::set<std::string, std::less<>>& unordered_lists() {
  static const std::set<std::string, std::less<>> kUnordered = {
      "list",    "notFound",        "destroyed",          "created",
      "updated", "linkedObjects",   "validationErrors",   "removed",
      "added",   "sieveExtensions", "collationAlgorithms"};
  return kUnordered;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 90 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

bool is_name_member(std::string_view member) {
  static const std::set<std::string, std::less<>> kNames = {
      "id",           "existingId", "blobId",        "threadId",      "state",
      "oldState",     "newState",   "queryState",    "oldQueryState", "newQueryState",
      "sessionState", "accountId",  "fromAccountId", "parentId",      "ids",
      "created",      "updated",    "destroyed",     "notFound",      "emailIds",
      "removed"};
  return kNames.contains(member) || member.ends_with("Id") || member.ends_with("Ids");
}

// What the server calls a script without a name: fifteen letters.
bool is_made_up_name(std::string_view text) {
  return text.size() == 15 && text != "deliveryReport." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }) &&
         std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The secret of an app password or an API key.
bool is_made_up_secret(std::string_view text) {
  return (text.starts_with("app_") || text.starts_with("API_")) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

// The password of the administrator that the first configuration makes.
bool is_made_up_password(std::string_view text) {
  return text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

// A time near the recording, or near this run of the test: only its form counts.
bool is_recent(std::string_view text) {
  if (text.size() != 20) return false;
  std::tm parts{};
  const char* end = strptime(std::string(text).c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return false;
  constexpr std::time_t kRecorded = 1795478400;  // 2026-11-24
  constexpr std::time_t kDays = 14 * 86400;
  const std::time_t at = timegm(&parts);
  return std::abs(at - kRecorded) < kDays || std::abs(at - std::time(nullptr)) < kDays;
}

// A state of an account counts changes that earlier files made: only its form is compared, and
// below whether old and new are equal.
bool is_state_member(std::string_view member) {
  return member == "state" || member == "oldState" || member == "newState" ||
         member == "queryState" || member == "oldQueryState" || member == "newQueryState";
}

bool is_state(std::string_view text) {
  return is_name(text) && (text[0] == 's' || text[0] == 'n' || text[0] == 'r');
}

// The id of an x:Action is the second it ran in: seven letters, of which the first stands for 34
// years.
bool is_action_id(std::string_view text) {
  return text.size() == 7 && text.starts_with("b") && is_name(text);
}

class Comparison {
 public:
  Comparison(NameMap& names, std::vector<PassedOver>& passed) : names_(names), passed_(passed) {}

  std::optional<std::string> compare(const Value& recorded, const Value& ours,
                                     const std::string& path, std::string_view member) {
    if (recorded.is_map() && recorded.members().contains("$sha256"))
      return pass_over(path, "$sha256", "a body that the recording has not kept");
    if (is_method_response(path)) enter(recorded);
    if (recorded.is_map() && ours.is_map()) {
      const std::string outer = type_;
      // `{object, id}` names a thing of another type.
      if (recorded["object"].is_string() && recorded["id"].is_string())
        type_ = "x:" + recorded["object"].as_string();
      auto out = compare_maps(recorded, ours, path, member);
      type_ = outer;
      return out;
    }
    if (recorded.is_list() && ours.is_list()) return compare_lists(recorded, ours, path, member);
    const bool is_nothing =
        (recorded.is_null() && ours == Value("")) || (recorded == Value("") && ours.is_null());
    if (is_nothing && path.empty()) return std::nullopt;  // no body
    if (recorded == ours) {
      if (recorded.is_string() && is_name_member(member) && !is_state_member(member))
        static_cast<void>(names_.fits(role_of(member), recorded.as_string(), ours.as_string()));
      return std::nullopt;
    }
    if (recorded.is_number() && ours.is_number() && recorded.number_or(0) == ours.number_or(1))
      return std::nullopt;
    if (recorded.is_string() && ours.is_string()) {
      const std::string& left = recorded.as_string();
      const std::string& right = ours.as_string();
      if (is_recent(left) && is_recent(right))
        return pass(path, member, "a time near the recording or this run");
      // A StateChange names types: {"changed": {account: {"Email": state}}}.
      const bool is_changed_type = path.find("/changed/") != std::string::npos;
      if ((is_state_member(member) || is_changed_type) && is_state(left) && is_state(right))
        return pass(path, member, "a state: its form, and whether old and new are equal");
      if (member == "id" && is_action_id(left) && is_action_id(right))
        return pass(path, member, "the id of an action is the second it ran in");
      if (member == "secret" && is_made_up_password(left) && is_made_up_password(right))
        return pass(path, member, "a secret that the server made up");
      if (is_made_up_name(left) && is_made_up_name(right))
        return pass(path, member, "a name that the server made up");
      if (is_made_up_secret(left) && is_made_up_secret(right) &&
          left.substr(0, 4) == right.substr(0, 4))
        return pass(path, member, "a secret that the server made up");
      if (is_name_member(member) && is_name(left) && is_name(right) &&
          names_.fits(role_of(member), left, right))
        return pass(path, member, "an id: the same thing has the same one throughout");
      if (const std::string* known = names_.ours(role_of(member), left);
          known != nullptr && *known == right)
        return pass(path, member, "an id: the same thing has the same one throughout");
    }
    return path + ": recorded " + ir::write_json(recorded).substr(0, 160) + ", here " +
           ir::write_json(ours).substr(0, 160);
  }

 private:
  std::optional<std::string> note(const std::string& path, std::string_view member, const char* why,
                                  bool is_compared) {
    passed_.push_back({path, std::string(member), why, is_compared});
    return std::nullopt;
  }
  std::optional<std::string> pass(const std::string& path, std::string_view member,
                                  const char* why) {
    return note(path, member, why, true);
  }
  std::optional<std::string> pass_over(const std::string& path, std::string_view member,
                                       const char* why) {
    return note(path, member, why, false);
  }

  static bool is_method_response(const std::string& path) {
    static const std::regex kPattern(R"(^/methodResponses/\d+$)");
    return std::regex_match(path, kPattern);
  }

  // Which type and account an answer is about.
  void enter(const Value& response) {
    const std::string_view method = response.item(0).string_or("");
    type_ = method.substr(0, method.find('/'));
    account_ = type_.starts_with("x:") ? "" : response.item(1)["accountId"].string_or("");
  }

  // What the ids in a member are ids of.
  std::string role_of(std::string_view member) const {
    static const std::map<std::string, std::string, std::less<>> kTypes = {
        {"threadId", "Thread"},
        {"emailIds", "Email"},
        {"emailId", "Email"},
        {"mailboxIds", "Mailbox"},
        {"identityId", "Identity"},
        {"addressBookIds", "AddressBook"},
        {"calendarIds", "Calendar"},
        {"blobId", "blob"},
        {"accountId", "account"},
        {"fromAccountId", "account"},
        {"domainId", "x:Domain"},
        {"defaultDomainId", "x:Domain"},
        {"memberTenantId", "x:Tenant"},
        {"roleIds", "x:Role"},
        {"memberGroupIds", "x:Account"},
        {"queueId", "x:MtaVirtualQueue"}};
    const auto known = kTypes.find(member);
    return (known == kTypes.end() ? type_ : known->second) + " of " + account_;
  }

  std::optional<std::string> compare_maps(const Value& recorded, const Value& ours,
                                          const std::string& path, std::string_view member) {
    for (const auto& [before, after] :
         {std::pair("oldState", "newState"), std::pair("oldQueryState", "newQueryState")})
      if (recorded[before].is_string() && ours[before].is_string() &&
          (recorded[before] == recorded[after]) != (ours[before] == ours[after]))
        return path + ": " + before + " and " + after + " are equal in one of the two only";
    std::vector<std::string> missing;
    std::set<std::string> seen;
    std::vector<std::pair<const std::string*, std::string>> pairs;
    const auto ignored = [&](std::string_view name) {
      return why_ignored(name, recorded, path, type_);
    };
    for (const auto& [name, value] : recorded.members()) {
      if (const char* why = ignored(name); why != nullptr) {
        static_cast<void>(pass_over(path + "/" + name, name, why));
        continue;
      }
      std::string here = name;
      if (!ours.members().contains(name)) {
        const std::string* known = names_.ours(role_of(member), name);
        if (known != nullptr && ours.members().contains(*known))
          here = *known;
        else {
          missing.push_back(name);
          continue;
        }
      }
      seen.insert(here);
      pairs.emplace_back(&name, here);
    }
    std::vector<std::string> extra;
    for (const auto& [name, value] : ours.members())
      if (!seen.contains(name) && ignored(name) == nullptr) extra.push_back(name);
    // Keys that are ids nobody has met yet pair up when there is one of each.
    if (missing.size() == 1 && extra.size() == 1 && is_name(missing[0]) && is_name(extra[0]) &&
        names_.fits(role_of(member), missing[0], extra[0])) {
      if (auto found =
              compare(recorded[missing[0]], ours[extra[0]], path + "/" + missing[0], member))
        return found;
      missing.clear();
      extra.clear();
    }
    for (const auto& [name, here] : pairs)
      if (auto found = compare(recorded[*name], ours[here], path + "/" + *name, *name))
        return found;
    if (!missing.empty()) return path + ": lacks " + missing[0];
    if (!extra.empty())
      return path + ": has " + extra[0] + " = " + ir::write_json(ours[extra[0]]).substr(0, 120);
    return std::nullopt;
  }

  std::optional<std::string> compare_lists(const Value& recorded, const Value& ours,
                                           const std::string& path, std::string_view member) {
    if (recorded.size() != ours.size())
      return path + ": recorded " + std::to_string(recorded.size()) + " items, here " +
             std::to_string(ours.size());
    if (!unordered_lists().contains(member)) {
      for (std::size_t i = 0; i < recorded.size(); ++i)
        if (auto found =
                compare(recorded.item(i), ours.item(i), path + "/" + std::to_string(i), member))
          return found;
      return std::nullopt;
    }
    std::vector<bool> used(ours.size(), false);
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      bool is_found = false;
      std::optional<std::string> first;
      for (std::size_t k = 0; k < ours.size() && !is_found; ++k) {
        const std::size_t at = (i + k) % ours.size();
        if (used[at]) continue;
        const NameMap before = names_;
        const std::size_t passed_before = passed_.size();
        auto found =
            compare(recorded.item(i), ours.item(at), path + "/" + std::to_string(i), member);
        if (!found) {
          used[at] = true;
          is_found = true;
        } else {
          names_ = before;
          passed_.resize(passed_before);
          if (!first) first = std::move(found);
        }
      }
      if (!is_found) return first ? first : path + ": item not found";
    }
    return std::nullopt;
  }

  NameMap& names_;
  std::vector<PassedOver>& passed_;
  std::string type_;
  std::string account_;
};

}  // namespace

bool NameMap::fits(const std::string& role, const std::string& recorded, const std::string& ours) {
  if (const auto known = to_ours_.find({role, recorded}); known != to_ours_.end())
    return known->second == ours;
  const auto captured = captured_.find(recorded);
  const bool is_captured = captured != captured_.end() && captured->second == ours;
  if (!is_captured && to_recorded_.contains({role, ours})) return false;
  to_ours_[{role, recorded}] = ours;
  to_recorded_[{role, ours}] = recorded;
  return true;
}

const std::string* NameMap::ours(const std::string& role, const std::string& recorded) const {
  if (const auto found = to_ours_.find({role, recorded}); found != to_ours_.end())
    return &found->second;
  const auto captured = captured_.find(recorded);
  return captured == captured_.end() ? nullptr : &captured->second;
}

std::map<std::string, std::string> NameMap::long_names() const {
  constexpr std::size_t kLength = 12;
  std::map<std::string, std::string> out;
  for (const auto& [pair, ours] : to_ours_)
    if (pair.second.size() == kLength) out[pair.second] = ours;
  return out;
}

std::optional<std::string> difference(const Value& recorded, const Value& ours, NameMap& names,
                                      std::vector<PassedOver>* passed_over) {
  std::vector<PassedOver> passed;
  auto found = Comparison(names, passed).compare(recorded, ours, "", "");
  if (passed_over != nullptr) passed_over->insert(passed_over->end(), passed.begin(), passed.end());
  return found;
}

HeaderRule header_rule(std::string_view name) {
  // Follows from the body, whose words are the server's own.
  if (name == "content-length") return HeaderRule::ignored;
  // How many seconds are left of a minute or an hour.
  if (name == "retry-after" || name == "ratelimit") return HeaderRule::present;
  // A URL with an id that the server made.
  if (name == "location") return HeaderRule::present;
  return HeaderRule::same;
}

std::string normal_line(std::string_view line) {
  std::string out(line);
  static const std::vector<std::pair<std::regex, std::string>> kRules = {
      {std::regex(R"((UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ|MODSEQ) \(?\d+\)?)"), "$1 N"},
      {std::regex(R"(APPENDUID \d+)"), "APPENDUID N"},
      {std::regex(R"(COPYUID \d+)"), "COPYUID N"},
      {std::regex(R"(queued with id [0-9a-f]+)"), "queued with id ID"},
      {std::regex(R"(\"\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d \+0000\")"), "DATE"},
      {std::regex(R"(QUOTA(ROOT)? (\"[^\"]*\" )?\"#\d+\")"), "QUOTA$1 $2ROOT"},
      {std::regex(R"( ?\(rehearsal target\))"), ""},
      {std::regex(R"(\* ID \(.*\))"), "* ID (WORDS)"},
      {std::regex(R"(^(\d+) \d{6,}$)"), "$1 UIDL"},
      {std::regex(R"(^\"[a-zA-Z]{15}\"$)"), "NAME"},
  };
  for (const auto& [pattern, replacement] : kRules)
    out = std::regex_replace(out, pattern, replacement);
  // Sets: capabilities, flags of one message, Sieve extensions.
  const auto sort_between = [&out](std::string_view open, char close) {
    const std::size_t at = out.find(open);
    if (at == std::string::npos) return;
    const std::size_t begin = at + open.size();
    std::size_t end = close == 0 ? out.size() : out.find(close, begin);
    if (end == std::string::npos) end = out.size();
    auto words = split(std::string_view(out).substr(begin, end - begin), ' ');
    std::sort(words.begin(), words.end());
    std::string sorted;
    for (const std::string_view word : words)
      sorted += (sorted.empty() ? "" : " ") + std::string(word);
    out = out.substr(0, begin) + sorted + out.substr(end);
  };
  // STATUS: pairs of an item and its number.
  if (const std::size_t open = out.find("\" (");
      out.starts_with("* STATUS ") && open != std::string::npos && out.ends_with(")")) {
    const std::string_view inside = std::string_view(out).substr(open + 3, out.size() - open - 4);
    const auto words = split(inside, ' ');
    std::vector<std::string> pairs;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2)
      pairs.push_back(std::string(words[i]) + " " + std::string(words[i + 1]));
    std::sort(pairs.begin(), pairs.end());
    std::string sorted;
    for (const std::string& pair : pairs) sorted += " " + pair;
    out = out.substr(0, open + 1) + sorted;
  }
  if (out.starts_with("+ ")) return "+";  // "go on", in the server's words
  sort_between("[CAPABILITY ", ']');
  sort_between("* CAPABILITY ", 0);
  sort_between("FLAGS (", ')');
  sort_between("\"SIEVE\" \"", '"');
  // Words behind a code of SMTP, and behind OK/NO/BAD of IMAP, are the server's own; codes in
  // brackets are not.
  static const std::regex kImap(R"(^(\S+ (?:OK|NO|BAD|BYE|PREAUTH))( \[[^\]]*\])?.*$)");
  static const std::regex kSieve(R"(^(OK|NO|BYE)( \([A-Z/-]+\))?.*$)");
  static const std::regex kSmtp(R"(^(\d{3}[ -]\d\.\d\.\d).*$)");
  // POP3 has no codes: the first word, and numbers of messages and bytes.
  static const std::regex kPop(R"(^(\+OK|-ERR)( \d+ \d+| \d+ messages| \d+ octets)?.*$)");
  std::smatch match;
  if (std::regex_match(out, match, kPop)) return match[1].str() + match[2].str();
  if (std::regex_match(out, match, kSmtp)) return match[1].str();
  if (std::regex_match(out, match, kImap)) return match[1].str() + match[2].str();
  if (std::regex_match(out, match, kSieve)) return match[1].str() + match[2].str();
  return out;
}

}  // namespace plan::replay
