#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/imap/date.h"
#include "runtime/net/imap/limits.h"
#include "runtime/net/imap/parser.h"
#include "runtime/net/stream.h"
#include "runtime/secret/secret.h"

namespace plan::net::imap {

enum class Security : std::uint8_t { none, starttls, tls };
/// `none`, `starttls`, `tls`, as connection blocks of plans spell it.
[[nodiscard]] std::optional<Security> security_by_name(std::string_view name);

struct Endpoint {
  std::string host = {};
  std::uint16_t port = 0;
  Security security = Security::starttls;
  TlsClientOptions tls = {};
};

struct ClientOptions {
  Limits limits = {};
  std::chrono::milliseconds silence_max = kSilenceMax;  ///< per read, not per command
  std::chrono::milliseconds connect_max{10'000};
  Blame blame = Blame::source;
};

/// One line of LIST.
struct MailboxInfo {
  std::string wire_name = {};                ///< as the server spells it: what commands want back
  std::optional<std::string> name = {};      ///< UTF-8; nothing when the spelling is malformed
  char separator = '\0';                     ///< '\0': NIL, no hierarchy
  std::vector<std::string> attributes = {};  ///< `\Noselect`, `\Sent`, as sent
  bool is_subscribed = false;                ///< when asked for

  [[nodiscard]] bool has(std::string_view attribute) const;  ///< ignoring case
  [[nodiscard]] bool is_selectable() const { return !has("\\Noselect") && !has("\\NonExistent"); }
};

struct Namespaces {
  struct Entry {
    std::string prefix = {};  ///< wire spelling
    char separator = '\0';
  };
  std::vector<Entry> personal = {}, others = {}, shared = {};
};
/// Is the mailbox of another user, or of a group? So are those that only stand above such.
[[nodiscard]] bool is_of_others(std::string_view wire_name, const Namespaces& namespaces);

struct MailboxStatus {
  std::optional<std::uint64_t> messages = {}, uid_next = {}, uid_validity = {}, size_bytes = {},
                               highest_modseq = {};
};

/// One FETCH response. Members that were not asked for, or not sent, are absent.
struct FetchedMessage {
  std::uint32_t uid = 0;
  std::optional<std::vector<std::string>> flags = {};  ///< `\Seen`, keywords, as sent
  std::optional<std::string> internal_date = {};       ///< as sent
  std::optional<std::uint64_t> size_bytes = {};        ///< RFC822.SIZE, which may lie
  std::optional<std::uint64_t> modseq = {};
  std::optional<std::string> body = {};  ///< BODY[], every byte, or of BODY[]<0.N> the first ones
};
/// Returning an error ends the fetch and the connection.
using FetchSink = std::function<Outcome(FetchedMessage&&)>;

struct SelectOptions {
  bool is_read_only = true;  ///< EXAMINE: never clears \Recent
  /// QRESYNC (RFC 7162): what was known of the mailbox. Only after enable_qresync().
  std::optional<std::uint32_t> known_uid_validity = {};
  std::uint64_t known_modseq = 0;
};

struct SelectedMailbox {
  std::uint64_t exists = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;           ///< 0: not said
  std::uint64_t highest_modseq = 0;     ///< 0: no modification sequences here
  std::vector<std::string> flags = {};  ///< of FLAGS
  std::vector<std::string> permanent_flags = {};
  // With SelectOptions::known_uid_validity, when it is still the same:
  UidSet vanished = {};
  std::vector<FetchedMessage> changed = {};
};

struct AppendMessage {
  std::string_view body = {};
  std::vector<std::string> flags = {};
  std::optional<InternalDate> date = {};
};

struct Appended {
  std::uint32_t uid_validity = 0;  ///< 0: the server has no UIDPLUS
  std::uint32_t uid = 0;
};

/// An IMAP4rev1/rev2 client over one connection; one thread at a time. Mailbox names are wire names
/// (MailboxInfo::wire_name, or encode_mailbox_name).
///
/// Errors: imap-refused and mailbox-missing (NO and BAD, with the server's words and code in the
/// detail), login-refused, and those of Stream and ResponseParser. After one of the latter the
/// connection is of no use (`is_broken`). Commands that change nothing have effect none.
class Client {
 public:
  /// Connects, starts TLS as said, reads greeting and capabilities.
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const Endpoint& endpoint,
                                                               const ClientOptions& options = {});
  /// Over a stream that is connected (and secured) already: reads greeting and capabilities.
  [[nodiscard]] static Result<std::unique_ptr<Client>> over(std::unique_ptr<Stream> stream,
                                                            const ClientOptions& options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool has(std::string_view capability) const;
  [[nodiscard]] const std::set<std::string>& capabilities() const { return capabilities_; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }
  /// SHA-256 (hex) of the server's certificate; empty without TLS.
  [[nodiscard]] std::string peer_certificate_sha256() const;

  [[nodiscard]] Outcome login(std::string_view user, const secret::Secret& password);
  /// SASL PLAIN; a master user acts for `authorization` when that is not empty.
  [[nodiscard]] Outcome authenticate_plain(std::string_view authorization, std::string_view user,
                                           const secret::Secret& password);
  /// False when the server has no QRESYNC (then nothing was sent).
  [[nodiscard]] Result<bool> enable_qresync();
  [[nodiscard]] bool is_qresync_enabled() const { return is_qresync_enabled_; }

  /// The mailboxes that match, with special-use attributes and subscriptions as far as the server
  /// tells (LIST-EXTENDED, or LIST and LSUB).
  [[nodiscard]] Result<std::vector<MailboxInfo>> list(std::string_view pattern = "*");
  /// Empty lists when the server has no NAMESPACE.
  [[nodiscard]] Result<Namespaces> namespaces();
  [[nodiscard]] Result<MailboxStatus> status(std::string_view mailbox);
  [[nodiscard]] Result<SelectedMailbox> select(std::string_view mailbox,
                                               const SelectOptions& options = {});
  /// UID FETCH. `items` as on the wire: "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])". An
  /// answer without UID is skipped (a flag change that nobody asked about); a server that goes on
  /// and on with answers that nobody asked for is left.
  [[nodiscard]] Outcome fetch(std::string_view uid_set, std::string_view items,
                              const FetchSink& sink);
  /// UIDs, ascending; by ESEARCH where there is one. `criteria` as on the wire.
  [[nodiscard]] Result<UidSet> search(std::string_view criteria = "ALL");

  [[nodiscard]] Result<Appended> append(std::string_view mailbox, const AppendMessage& message);
  /// All of them with up to kAppendsInFlight on their way, where the server has LITERAL+; the
  /// answer to each in order. A refused one does not stop the others; a broken connection does
  /// (effect unknown for those that have no answer).
  [[nodiscard]] Result<std::vector<Result<Appended>>> append_all(
      std::string_view mailbox, const std::vector<AppendMessage>& messages);
  /// `change` is "+FLAGS.SILENT", "-FLAGS.SILENT" or "FLAGS.SILENT".
  [[nodiscard]] Outcome store(std::string_view uid_set, std::string_view change,
                              const std::vector<std::string>& flags);
  /// UID EXPUNGE where there is UIDPLUS, else EXPUNGE (all that is \Deleted).
  [[nodiscard]] Outcome expunge(std::string_view uid_set);
  [[nodiscard]] Outcome copy(std::string_view uid_set, std::string_view mailbox);
  [[nodiscard]] Outcome create(std::string_view mailbox);
  [[nodiscard]] Outcome remove(std::string_view mailbox);
  [[nodiscard]] Outcome rename(std::string_view from, std::string_view to);
  [[nodiscard]] Outcome subscribe(std::string_view mailbox, bool is_subscribed = true);
  [[nodiscard]] Outcome noop();
  /// Says goodbye; errors do not matter.
  void logout();

 private:
  using Sink = std::function<Outcome(Response&)>;
  /// A piece of a command: text as it goes on the wire, or a string to be sent as a literal.
  struct Part {
    std::string text = {};
    bool is_literal = false;
  };
  using Parts = std::vector<Part>;
  Client(std::unique_ptr<Stream> stream, const ClientOptions& options);

  [[nodiscard]] Outcome greet();
  [[nodiscard]] Outcome read_capabilities();
  void note_capabilities(std::string_view words);
  [[nodiscard]] Result<Response> read();
  [[nodiscard]] Outcome send(std::string_view bytes);
  /// Sends a command (parts: literals go between), hands untagged responses to `sink`, returns the
  /// tagged OK, or the error that NO and BAD mean.
  [[nodiscard]] Result<Response> run(const Parts& parts, std::string_view doing, bool is_read_only,
                                     const Sink& sink = {});
  [[nodiscard]] Outcome await_continuation(std::string_view tag, std::string_view doing,
                                           const Sink& sink);
  [[nodiscard]] Result<Response> await_tag(std::string_view tag, std::string_view doing,
                                           const Sink& sink);
  [[nodiscard]] Error refusal(const Response& response, std::string_view doing) const;
  /// What the server said is no IMAP; what the command did is unknown.
  [[nodiscard]] static Error violation(std::string message);
  [[nodiscard]] Error broken(Error error);
  [[nodiscard]] std::string next_tag();
  /// Appends a string: quoted, or as a literal when it cannot be.
  static void add_string(Parts& parts, std::string_view text);
  static void add_text(Parts& parts, std::string_view text);
  [[nodiscard]] Outcome send_parts(std::string_view tag, const Parts& parts, std::string_view doing,
                                   const Sink& sink);
  [[nodiscard]] static Parts append_parts(std::string_view mailbox, const AppendMessage& message);
  [[nodiscard]] Outcome note_untagged(Response& response);

  std::unique_ptr<Stream> stream_;
  SocketStream* socket_ = nullptr;  // stream_, when it is one
  ClientOptions options_;
  ResponseParser parser_;
  std::set<std::string> capabilities_;
  std::uint64_t tag_count_ = 0;
  std::size_t fetches_max_ = 0;  // of the command that is on its way
  bool is_broken_ = false;
  bool is_qresync_enabled_ = false;
  bool is_preauthenticated_ = false;
};

}  // namespace plan::net::imap
