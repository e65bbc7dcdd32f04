#include "runtime/archive/source_writer.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/archive/target_account.h"
#include "runtime/net/imap/errors.h"

namespace plan::archive {

namespace imap = net::imap;

SourceWriter::~SourceWriter() {
  if (client_ && !client_->is_broken()) client_->logout();
}

Result<imap::Client*> SourceWriter::client() {
  if (client_ && !client_->is_broken()) return client_.get();
  PLAN_TRY(made, source_.connect());
  client_ = std::move(made);
  selected_.clear();
  return client_.get();
}

Result<imap::Client*> SourceWriter::selected(const std::string& wire_name,
                                             std::uint32_t uid_validity) {
  PLAN_TRY(open, client());
  const std::string wanted = fmt::format("{} {}", uid_validity, wire_name);
  if (selected_ == wanted) return open;
  selected_.clear();
  PLAN_TRY(mailbox, open->select(wire_name, {.is_read_only = false}));
  if (mailbox.uid_validity != uid_validity)
    return Error(imap::errors::mailbox_missing,
                 fmt::format("{} got another UIDVALIDITY", printable(wire_name, 200)))
        .with_retry(Retry::safe)
        .with_blame(Blame::source);
  selected_ = wanted;
  return open;
}

Result<std::vector<Result<imap::Appended>>> SourceWriter::append(
    const std::string& wire_name, const std::vector<imap::AppendMessage>& messages) {
  PLAN_TRY(open, client());
  PLAN_TRY(answers, open->append_all(wire_name, messages));
  bool is_missing = false;
  for (const auto& answer : answers)
    is_missing = is_missing || (!answer && answer.error().is(imap::errors::mailbox_missing));
  if (!is_missing) return std::move(answers);
  PLAN_TRY_VOID(create(wire_name));
  for (std::size_t index = 0; index < answers.size(); ++index)
    if (!answers[index] && answers[index].error().is(imap::errors::mailbox_missing)) {
      PLAN_TRY(again, open->append_all(wire_name, {messages[index]}));
      if (!again.empty()) answers[index] = std::move(again.front());
    }
  return std::move(answers);
}

Outcome SourceWriter::change_flags(const std::string& wire_name, std::uint32_t uid_validity,
                                   const imap::UidSet& uids, const std::vector<std::string>& added,
                                   const std::vector<std::string>& removed) {
  PLAN_TRY(open, selected(wire_name, uid_validity));
  if (const auto flags = flags_of(added); !flags.empty())
    PLAN_TRY_VOID(open->store(uids.to_string(), "+FLAGS.SILENT", flags));
  if (const auto flags = flags_of(removed); !flags.empty())
    PLAN_TRY_VOID(open->store(uids.to_string(), "-FLAGS.SILENT", flags));
  return {};
}

Result<bool> SourceWriter::expunge(const std::string& wire_name, std::uint32_t uid_validity,
                                   const imap::UidSet& uids) {
  PLAN_TRY(open, selected(wire_name, uid_validity));
  PLAN_TRY_VOID(open->store(uids.to_string(), "+FLAGS.SILENT", {"\\Deleted"}));
  if (!open->has("UIDPLUS")) return false;
  PLAN_TRY_VOID(open->expunge(uids.to_string()));
  return true;
}

Outcome SourceWriter::create(const std::string& wire_name) {
  PLAN_TRY(open, client());
  const auto made = open->create(wire_name);
  if (!made && open->is_broken()) return made;
  PLAN_TRY(status, open->status(wire_name).while_doing("making a mailbox at the source"));
  (void)status;
  // A convenience of the user's: what cannot be subscribed is left.
  const auto subscribed = open->subscribe(wire_name);
  if (!subscribed && open->is_broken()) return subscribed;
  return {};
}

Outcome SourceWriter::rename(const std::string& from, const std::string& to) {
  PLAN_TRY(open, client());
  selected_.clear();
  PLAN_TRY_VOID(open->rename(from, to));
  const auto subscribed = open->subscribe(to);
  if (!subscribed && open->is_broken()) return subscribed;
  return {};
}

Outcome SourceWriter::remove(const std::string& wire_name) {
  // A connection that has it open keeps some servers from deleting it.
  if (client_ && !client_->is_broken()) client_->logout();
  client_.reset();
  PLAN_TRY(open, client());
  return open->remove(wire_name);
}

Result<std::string> SourceWriter::personal_prefix() {
  PLAN_TRY(open, client());
  PLAN_TRY(spaces, open->namespaces());
  return spaces.personal.empty() ? std::string() : spaces.personal.front().prefix;
}

bool is_refusal(const Error& error) {
  return error.is(imap::errors::imap_refused) || error.is(imap::errors::mailbox_missing);
}

std::vector<std::string> flags_of(const std::vector<std::string>& keywords) {
  std::vector<std::string> flags;
  for (const std::string& keyword : keywords_for_target(keywords)) {
    std::string_view flag = keyword;
    for (const auto& [known, system] :
         {std::pair<std::string_view, std::string_view>{"$seen", "\\Seen"},
          {"$flagged", "\\Flagged"},
          {"$answered", "\\Answered"},
          {"$draft", "\\Draft"},
          {"$deleted", "\\Deleted"}})
      if (equals_ignoring_case(keyword, known)) flag = system;
    if (!equals_ignoring_case(flag, "$recent")) flags.emplace_back(flag);
  }
  return flags;
}

std::string with_wire_line_ends(std::string_view message) {
  std::string text;
  text.reserve(message.size());
  char before = '\0';
  for (const char letter : message) {
    if (letter == '\n' && before != '\r') text += '\r';
    text += letter;
    before = letter;
  }
  return text;
}

}  // namespace plan::archive
