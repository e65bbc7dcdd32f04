#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/imap/client.h"

namespace plan::archive {

/// Writes into one account of the source through its master user: what carry_back decided. One
/// connection, made when it is needed and made again after it broke. One thread at a time.
///
/// Errors: those of imap::Client. After one with effect `unknown` only a new pass over the source
/// tells what was done.
class SourceWriter {
 public:
  explicit SourceWriter(const ImapSource& source) : source_(source) {}
  ~SourceWriter();
  SourceWriter(const SourceWriter&) = delete;
  SourceWriter& operator=(const SourceWriter&) = delete;

  /// The answer to each message in order; one that is refused does not stop the others. A mailbox
  /// that is not there is made.
  [[nodiscard]] Result<std::vector<Result<net::imap::Appended>>> append(
      const std::string& wire_name, const std::vector<net::imap::AppendMessage>& messages);
  /// Adds and removes keywords (of JMAP) of messages. Error mailbox-missing when the mailbox has
  /// another UIDVALIDITY by now.
  [[nodiscard]] Outcome change_flags(const std::string& wire_name, std::uint32_t uid_validity,
                                     const net::imap::UidSet& uids,
                                     const std::vector<std::string>& added,
                                     const std::vector<std::string>& removed);
  /// False where the server cannot expunge single messages (no UIDPLUS): they are marked `\Deleted`
  /// only.
  [[nodiscard]] Result<bool> expunge(const std::string& wire_name, std::uint32_t uid_validity,
                                     const net::imap::UidSet& uids);
  /// Makes and subscribes a mailbox; one that is there already is fine.
  [[nodiscard]] Outcome create(const std::string& wire_name);
  [[nodiscard]] Outcome rename(const std::string& from, const std::string& to);
  [[nodiscard]] Outcome remove(const std::string& wire_name);
  /// Prefix of the user's own mailboxes on the wire: "" or "INBOX.".
  [[nodiscard]] Result<std::string> personal_prefix();

 private:
  [[nodiscard]] Result<net::imap::Client*> client();
  [[nodiscard]] Result<net::imap::Client*> selected(const std::string& wire_name,
                                                    std::uint32_t uid_validity);

  const ImapSource& source_;
  std::unique_ptr<net::imap::Client> client_;
  std::string selected_ = {};
};

/// Did the server understand and say no? Then nothing was done, and the same again is in vain.
[[nodiscard]] bool is_refusal(const Error& error);

/// Flags of IMAP for keywords of JMAP; those that no IMAP server could take are left out.
[[nodiscard]] std::vector<std::string> flags_of(const std::vector<std::string>& keywords);

/// With the line ends that a message has on the wire: a lone LF becomes CRLF.
[[nodiscard]] std::string with_wire_line_ends(std::string_view message);

}  // namespace plan::archive
