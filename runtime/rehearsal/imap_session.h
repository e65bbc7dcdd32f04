#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/connection_server.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/imap_text.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// One IMAP conversation. Split over imap_server.cpp (talk, login), imap_mailboxes.cpp and
/// imap_messages.cpp.
class ImapSession {
 public:
  ImapSession(World& world, Service service, net::SocketStream& stream,
              const net::StopSignal& signal);
  void run();

 private:
  using Tokens = std::vector<ImapToken>;
  enum class Read : std::uint8_t { ok, closed, refused };

  // Talk.
  bool send(const std::string& text);
  void line(const std::string& text) { send(text + "\r\n"); }
  void ok(const std::string& text) { line(tag_ + " OK " + text); }
  void no(const std::string& text) { line(tag_ + " NO " + text); }
  void bad(const std::string& text) { line(tag_ + " BAD " + text); }
  [[nodiscard]] Read read_command(ImapCommandText& command);
  void handle(const Tokens& tokens);
  [[nodiscard]] std::string capabilities() const;

  // Login.
  void login(const Tokens& arguments);
  void authenticate(const Tokens& arguments);
  void finish_login(const std::string& user, const std::string& password, bool is_login);
  void starttls();

  // Mailboxes. The lock is taken inside.
  void list(const Tokens& arguments, bool is_lsub);
  void status(const Tokens& arguments);
  void select(const Tokens& arguments, bool is_read_only);
  void create(const Tokens& arguments);
  void remove(const Tokens& arguments);
  void rename(const Tokens& arguments);
  void subscribe(const Tokens& arguments, bool is_subscribed);
  void append(const Tokens& arguments);
  void quota(const Tokens& arguments, bool is_root);
  [[nodiscard]] MailAccount& account();
  [[nodiscard]] static std::string path_of(const MailAccount& account, const Mailbox& mailbox);
  [[nodiscard]] Mailbox* find_mailbox(MailAccount& account, const std::string& wire_name);
  [[nodiscard]] std::string status_line(MailAccount& account, const Mailbox& mailbox,
                                        const std::vector<std::string>& items) const;

  // Messages of the selected mailbox.
  void fetch(const Tokens& arguments, bool is_uid);
  void store(const Tokens& arguments, bool is_uid);
  void search(const Tokens& arguments, bool is_uid);
  void copy(const Tokens& arguments, bool is_uid, bool is_move);
  void expunge(const Tokens* arguments, bool is_silent);
  void idle();
  void refresh();  ///< tells what changed in the selected mailbox; the lock must not be held
  [[nodiscard]] Mailbox* selected_mailbox(MailAccount& account);
  [[nodiscard]] std::vector<std::uint32_t> chosen(std::string_view set, bool is_uid);  ///< UIDs
  [[nodiscard]] std::size_t position_of(std::uint32_t uid) const;  ///< 1-based, 0: none
  [[nodiscard]] static std::string flags_of(const Email& email);
  [[nodiscard]] bool matches(const MailAccount& account, const Email& email, std::uint32_t uid,
                             const Tokens& tokens, std::size_t& at, int depth);

  World& world_;
  Service service_;
  net::SocketStream& stream_;
  const net::StopSignal& signal_;
  net::LineReader reader_;
  std::string peer_;
  std::string tag_;
  std::optional<Login> login_;
  int failures_ = 0;
  bool is_open_ = true;
  bool is_utf8_ = false;
  bool is_read_only_ = false;
  std::optional<std::uint32_t> selected_;
  std::vector<std::uint32_t> view_;               ///< UIDs the client knows, in order
  std::map<std::uint32_t, std::uint64_t> known_;  ///< UID to modseq the client knows
};

}  // namespace plan::rehearsal
