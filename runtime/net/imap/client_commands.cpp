// What is asked of the server once the login has passed; the connection itself is in client.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/client.h"
#include "runtime/net/imap/errors.h"

namespace plan::net::imap {
namespace {

template <class Number>
Number number_or(std::string_view text, Number fallback) {
  Number number = 0;
  text = trim(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : fallback;
}

std::vector<std::string> texts_of(const Item& list) {
  std::vector<std::string> texts;
  for (const Item& item : list.items) texts.push_back(item.text);
  return texts;
}

FetchedMessage fetched_from(Item& list) {
  FetchedMessage message;
  for (std::size_t index = 0; index + 1 < list.items.size(); index += 2) {
    const std::string& name = list.items[index].text;
    Item& value = list.items[index + 1];
    if (equals_ignoring_case(name, "UID")) {
      const auto uid = value.number();
      if (uid && *uid <= UINT32_MAX) message.uid = static_cast<std::uint32_t>(*uid);
    } else if (equals_ignoring_case(name, "FLAGS")) {
      if (value.is_list()) message.flags = texts_of(value);
    } else if (equals_ignoring_case(name, "INTERNALDATE")) {
      if (!value.is_list() && !value.is_nil()) message.internal_date = std::move(value.text);
    } else if (equals_ignoring_case(name, "RFC822.SIZE")) {
      message.size_bytes = value.number();
    } else if (equals_ignoring_case(name, "MODSEQ")) {
      if (value.is_list() && value.items.size() == 1) message.modseq = value.items[0].number();
    } else if (equals_ignoring_case(name, "BODY[]") || equals_ignoring_case(name, "BODY[]<0>") ||
               equals_ignoring_case(name, "RFC822")) {
      if (value.type == Item::Type::string) message.body = std::move(value.text);
    }
  }
  return message;
}

std::optional<MailboxInfo> mailbox_from(Response& response) {
  if (response.items.size() < 3 || !response.items[0].is_list() || response.items[2].is_list())
    return {};
  MailboxInfo info;
  info.attributes = texts_of(response.items[0]);
  const Item& separator = response.items[1];
  if (!separator.is_nil() && separator.text.size() == 1) info.separator = separator.text[0];
  info.wire_name = std::move(response.items[2].text);
  info.is_subscribed = info.has("\\Subscribed");
  return info;
}

std::vector<Namespaces::Entry> entries_of(const Item& list) {
  std::vector<Namespaces::Entry> entries;
  for (const Item& item : list.items) {
    if (!item.is_list() || item.items.size() < 2) continue;
    const Item& separator = item.items[1];
    entries.push_back({.prefix = item.items[0].text,
                       .separator = !separator.is_nil() && separator.text.size() == 1
                                        ? separator.text[0]
                                        : '\0'});
  }
  return entries;
}

Appended appended_from(const Response& response) {
  Appended appended;
  if (response.code != "APPENDUID") return appended;
  std::string_view text = response.code_text;
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return appended;
  appended.uid_validity = number_or<std::uint32_t>(text.substr(0, blank), 0);
  appended.uid = number_or<std::uint32_t>(text.substr(blank + 1), 0);
  return appended;
}

std::string appending_to(std::string_view mailbox) {
  return fmt::format("appending a message to {}", printable(mailbox, 200));
}

}  // namespace

Result<std::vector<MailboxInfo>> Client::list(std::string_view pattern) {
  const bool is_extended = has("LIST-EXTENDED");
  std::vector<MailboxInfo> mailboxes;
  const auto take = [&](Response& response) -> Outcome {
    if (response.name != "LIST") return {};
    auto info = mailbox_from(response);
    if (!info) return violation("a LIST response without mailbox");
    if (mailboxes.size() >= options_.limits.mailboxes_max)
      return violation(fmt::format("more than {} mailboxes", options_.limits.mailboxes_max));
    mailboxes.push_back(std::move(*info));
    return {};
  };
  Parts parts{{"LIST \"\" "}};
  add_string(parts, pattern);
  if (is_extended)
    add_text(parts,
             has("SPECIAL-USE") ? " RETURN (SUBSCRIBED SPECIAL-USE)" : " RETURN (SUBSCRIBED)");
  PLAN_TRY(done, run(parts, "listing mailboxes", true, take));
  (void)done;
  if (!is_extended) {
    std::set<std::string> subscribed;
    Parts lsub{{"LSUB \"\" "}};
    add_string(lsub, pattern);
    PLAN_TRY(
        ended, run(lsub, "listing subscriptions", true, [&](Response& response) -> Outcome {
          if (response.name != "LSUB") return {};
          auto info = mailbox_from(response);
          // \Noselect in LSUB: only a child of it is subscribed.
          if (info && !info->has("\\Noselect") && subscribed.size() < options_.limits.mailboxes_max)
            subscribed.insert(info->wire_name);
          return {};
        }));
    (void)ended;
    for (MailboxInfo& info : mailboxes) info.is_subscribed = subscribed.count(info.wire_name) > 0;
  }
  return mailboxes;
}

bool is_of_others(std::string_view wire_name, const Namespaces& namespaces) {
  for (const auto* list : {&namespaces.others, &namespaces.shared}) {
    for (const Namespaces::Entry& space : *list) {
      if (space.prefix.empty()) continue;
      std::string_view bare = space.prefix;
      if (bare.back() == space.separator) bare.remove_suffix(1);
      if (wire_name == bare || (wire_name.starts_with(bare) && space.separator != '\0' &&
                                wire_name[bare.size()] == space.separator))
        return true;
    }
  }
  return false;
}

Result<Namespaces> Client::namespaces() {
  Namespaces found;
  if (!has("NAMESPACE")) return found;
  PLAN_TRY(done,
           run({{"NAMESPACE"}}, "asking for namespaces", true, [&](Response& response) -> Outcome {
             if (response.name != "NAMESPACE" || response.items.size() < 3) return {};
             found.personal = entries_of(response.items[0]);
             found.others = entries_of(response.items[1]);
             found.shared = entries_of(response.items[2]);
             return {};
           }));
  (void)done;
  return found;
}

Result<MailboxStatus> Client::status(std::string_view mailbox) {
  MailboxStatus status;
  Parts parts{{"STATUS "}};
  add_string(parts, mailbox);
  std::string wanted = "MESSAGES UIDNEXT UIDVALIDITY";
  if (has("CONDSTORE") || has("QRESYNC")) wanted += " HIGHESTMODSEQ";
  if (has("STATUS=SIZE") || has("IMAP4REV2")) wanted += " SIZE";
  add_text(parts, " (" + wanted + ")");
  const auto take = [&](Response& response) -> Outcome {
    if (response.name != "STATUS" || response.items.size() < 2) return {};
    const Item& list = response.items[1];
    for (std::size_t index = 0; index + 1 < list.items.size(); index += 2) {
      const std::string& name = list.items[index].text;
      const auto number = list.items[index + 1].number();
      if (equals_ignoring_case(name, "MESSAGES")) status.messages = number;
      if (equals_ignoring_case(name, "UIDNEXT")) status.uid_next = number;
      if (equals_ignoring_case(name, "UIDVALIDITY")) status.uid_validity = number;
      if (equals_ignoring_case(name, "HIGHESTMODSEQ")) status.highest_modseq = number;
      if (equals_ignoring_case(name, "SIZE")) status.size_bytes = number;
    }
    return {};
  };
  PLAN_TRY(done, run(parts, fmt::format("asking for the status of {}", printable(mailbox, 200)),
                     true, take));
  (void)done;
  return status;
}

Result<SelectedMailbox> Client::select(std::string_view mailbox, const SelectOptions& options) {
  SelectedMailbox selected;
  const std::string doing = fmt::format("opening mailbox {}", printable(mailbox, 200));
  Parts parts{{options.is_read_only ? "EXAMINE " : "SELECT "}};
  add_string(parts, mailbox);
  if (is_qresync_enabled_ && options.known_uid_validity && options.known_modseq > 0)
    add_text(parts,
             fmt::format(" (QRESYNC ({} {}))", *options.known_uid_validity, options.known_modseq));
  else if (has("CONDSTORE") || has("QRESYNC"))
    add_text(parts, " (CONDSTORE)");
  const auto take = [&](Response& response) -> Outcome {
    if (response.name == "EXISTS") {
      selected.exists = response.number.value_or(0);
    } else if (response.name == "FLAGS" && !response.items.empty()) {
      selected.flags = texts_of(response.items[0]);
    } else if (response.name == "VANISHED" && !response.items.empty()) {
      auto set = parse_uid_set(response.items.back().text);
      if (!set) return violation("VANISHED with something that is no set of UIDs");
      for (const UidSet::Range& range : set->ranges) selected.vanished.add(range.first, range.last);
    } else if (response.name == "FETCH" && !response.items.empty()) {
      FetchedMessage message = fetched_from(response.items[0]);
      if (message.uid != 0) selected.changed.push_back(std::move(message));
    } else if (response.name == "OK" && !response.code.empty()) {
      // With QRESYNC the answers about the mailbox that was open before end here (RFC
      // 7162, 3.2.11).
      if (response.code == "CLOSED") selected = {};
      if (response.code == "UIDVALIDITY")
        selected.uid_validity = number_or<std::uint32_t>(response.code_text, 0);
      if (response.code == "UIDNEXT")
        selected.uid_next = number_or<std::uint32_t>(response.code_text, 0);
      if (response.code == "HIGHESTMODSEQ")
        selected.highest_modseq = number_or<std::uint64_t>(response.code_text, 0);
      if (response.code == "NOMODSEQ") selected.highest_modseq = 0;
      if (response.code == "PERMANENTFLAGS") {
        auto items = parse_items(response.code_text, options_.limits);
        if (items && !items->empty()) selected.permanent_flags = texts_of(items->front());
      }
    }
    return {};
  };
  auto answer = run(parts, doing, true, take);
  if (!answer) {
    // NO to SELECT means that it is not there or not open to us, whatever the code.
    if (answer.error().is(errors::imap_refused) || answer.error().is(errors::mailbox_missing))
      return Error(errors::mailbox_missing, "the mailbox cannot be opened")
          .with_blame(options_.blame)
          .with_detail(answer.error().detail())
          .while_doing(doing);
    return std::move(answer.error());
  }
  if (selected.uid_validity == 0)
    return violation("the server does not tell UIDVALIDITY")
        .with_effect(Effect::none)
        .with_blame(options_.blame)
        .while_doing(doing);
  selected.vanished.normalize();
  return selected;
}

Outcome Client::fetch(std::string_view uid_set, std::string_view items, const FetchSink& sink) {
  const auto take = [&](Response& response) -> Outcome {
    if (response.name != "FETCH" || response.items.empty() || !response.items[0].is_list())
      return {};
    FetchedMessage message = fetched_from(response.items[0]);
    if (message.uid == 0) return {};
    return sink(std::move(message));
  };
  // Each of them once, and what other clients change meanwhile.
  if (const auto asked = parse_uid_set(uid_set)) {
    fetches_max_ = std::min<std::size_t>(asked->count(), options_.limits.fetches_max) +
                   options_.limits.responses_max;
  }
  auto done =
      run({{fmt::format("UID FETCH {} {}", uid_set, items)}}, "fetching messages", true, take);
  fetches_max_ = options_.limits.fetches_max;
  return std::move(done).map([](const Response&) {});
}

Result<UidSet> Client::search(std::string_view criteria) {
  UidSet found;
  const auto take = [&](Response& response) -> Outcome {
    if (response.name == "SEARCH") {
      for (const Item& item : response.items) {
        const auto uid = item.number();
        if (!uid) continue;  // (MODSEQ n)
        if (*uid == 0 || *uid > UINT32_MAX) return violation("SEARCH with a number that is no UID");
        found.add(static_cast<std::uint32_t>(*uid));
      }
    } else if (response.name == "ESEARCH") {
      for (std::size_t index = 0; index + 1 < response.items.size(); ++index) {
        if (!equals_ignoring_case(response.items[index].text, "ALL")) continue;
        auto set = parse_uid_set(response.items[index + 1].text);
        if (!set) return violation("ESEARCH with something that is no set of UIDs");
        for (const UidSet::Range& range : set->ranges) found.add(range.first, range.last);
      }
    }
    return {};
  };
  const bool is_extended = has("ESEARCH") || has("IMAP4REV2");
  PLAN_TRY(done,
           run({{fmt::format("UID SEARCH {}{}", is_extended ? "RETURN (ALL) " : "", criteria)}},
               "searching", true, take));
  (void)done;
  found.normalize();
  return found;
}

Client::Parts Client::append_parts(std::string_view mailbox, const AppendMessage& message) {
  Parts parts{{"APPEND "}};
  add_string(parts, mailbox);
  add_text(parts, " ");
  if (!message.flags.empty()) add_text(parts, fmt::format("({}) ", fmt::join(message.flags, " ")));
  if (message.date) add_text(parts, "\"" + message.date->imap() + "\" ");
  parts.push_back({.text = std::string(message.body), .is_literal = true});
  return parts;
}

Result<Appended> Client::append(std::string_view mailbox, const AppendMessage& message) {
  PLAN_TRY(answer, run(append_parts(mailbox, message), appending_to(mailbox), false));
  return appended_from(answer);
}

Result<std::vector<Result<Appended>>> Client::append_all(
    std::string_view mailbox, const std::vector<AppendMessage>& messages) {
  std::vector<Result<Appended>> answers;
  if (!has("LITERAL+")) {
    for (const AppendMessage& message : messages) {
      answers.push_back(append(mailbox, message));
      if (is_broken_) return std::move(answers.back().error());
    }
    return answers;
  }
  const std::string doing = appending_to(mailbox);
  std::vector<std::string> tags;
  const auto take_answer = [&]() -> Outcome {
    auto answer = await_tag(tags[answers.size()], doing, {});
    if (is_broken_) return std::move(answer.error());
    if (answer)
      answers.emplace_back(appended_from(*answer));
    else
      answers.emplace_back(std::move(answer.error()));
    return {};
  };
  for (const AppendMessage& message : messages) {
    if (tags.size() - answers.size() >= kAppendsInFlight) PLAN_TRY_VOID(take_answer());
    tags.push_back(next_tag());
    PLAN_TRY_VOID(send_parts(tags.back(), append_parts(mailbox, message), doing, {}));
  }
  while (answers.size() < messages.size()) PLAN_TRY_VOID(take_answer());
  return answers;
}

Outcome Client::store(std::string_view uid_set, std::string_view change,
                      const std::vector<std::string>& flags) {
  PLAN_TRY(done, run({{fmt::format("UID STORE {} {} ({})", uid_set, change,
                                   fmt::format("{}", fmt::join(flags, " ")))}},
                     "changing flags", false));
  (void)done;
  return {};
}

Outcome Client::expunge(std::string_view uid_set) {
  PLAN_TRY(done, run({{has("UIDPLUS") ? fmt::format("UID EXPUNGE {}", uid_set) : "EXPUNGE"}},
                     "expunging", false));
  (void)done;
  return {};
}

Outcome Client::copy(std::string_view uid_set, std::string_view mailbox) {
  Parts parts{{fmt::format("UID COPY {} ", uid_set)}};
  add_string(parts, mailbox);
  PLAN_TRY(done, run(parts, "copying messages", false));
  (void)done;
  return {};
}

Outcome Client::create(std::string_view mailbox) {
  Parts parts{{"CREATE "}};
  add_string(parts, mailbox);
  PLAN_TRY(done, run(parts, fmt::format("creating {}", printable(mailbox, 200)), false));
  (void)done;
  return {};
}

Outcome Client::remove(std::string_view mailbox) {
  Parts parts{{"DELETE "}};
  add_string(parts, mailbox);
  PLAN_TRY(done, run(parts, fmt::format("deleting {}", printable(mailbox, 200)), false));
  (void)done;
  return {};
}

Outcome Client::rename(std::string_view from, std::string_view to) {
  Parts parts{{"RENAME "}};
  add_string(parts, from);
  add_text(parts, " ");
  add_string(parts, to);
  PLAN_TRY(done, run(parts, fmt::format("renaming {}", printable(from, 200)), false));
  (void)done;
  return {};
}

Outcome Client::subscribe(std::string_view mailbox, bool is_subscribed) {
  Parts parts{{is_subscribed ? "SUBSCRIBE " : "UNSUBSCRIBE "}};
  add_string(parts, mailbox);
  PLAN_TRY(done, run(parts, "changing a subscription", false));
  (void)done;
  return {};
}

Outcome Client::noop() {
  PLAN_TRY(done, run({{"NOOP"}}, "asking for news", true));
  (void)done;
  return {};
}

}  // namespace plan::net::imap
