#include "runtime/rehearsal/imap_server.h"

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/rehearsal/imap_session.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::size_t kLineBytesMax = std::size_t{64} << 10U;
constexpr std::size_t kLiteralBytesMax = std::size_t{104'857'600};
constexpr std::size_t kCommandBytesMax = std::size_t{128} << 20U;
constexpr std::chrono::minutes kPatience{30};
constexpr std::chrono::seconds kWritePatience{60};
constexpr std::string_view kBefore =
    "IMAP4rev2 IMAP4rev1 ENABLE SASL-IR LITERAL+ ID UTF8=ACCEPT AUTH=PLAIN AUTH=OAUTHBEARER "
    "AUTH=XOAUTH2";
constexpr std::string_view kAfter =
    "IMAP4rev2 IMAP4rev1 ENABLE SASL-IR LITERAL+ ID UTF8=ACCEPT JMAPACCESS IDLE NAMESPACE CHILDREN "
    "MULTIAPPEND "
    "BINARY UNSELECT ACL UIDPLUS ESEARCH WITHIN SEARCHRES SORT THREAD=REFERENCES LIST-EXTENDED "
    "LIST-STATUS "
    "ESORT SORT=DISPLAY SPECIAL-USE CREATE-SPECIAL-USE MOVE CONDSTORE QRESYNC UNAUTHENTICATE "
    "STATUS=SIZE "
    "OBJECTID+ PREVIEW RIGHTS=texk QUOTA QUOTA=RES-STORAGE";

}  // namespace

ImapSession::ImapSession(World& world, Service service, net::SocketStream& stream,
                         const net::StopSignal& signal)
    : world_(world),
      service_(service),
      stream_(stream),
      signal_(signal),
      reader_(stream, kLineBytesMax),
      peer_(stream.peer_address()) {}

bool ImapSession::send(const std::string& text) {
  const bool is_sent = stream_.write_all(text, Deadline::after(kWritePatience)).has_value();
  is_open_ = is_open_ && is_sent;
  return is_sent;
}

std::string ImapSession::capabilities() const {
  std::string out(login_ ? kAfter : kBefore);
  if (!login_ && !stream_.is_tls() && world_.options.tls) out += " STARTTLS";
  return out;
}

void ImapSession::run() {
  {
    const std::lock_guard lock(world_.mutex);
    if (is_blocked(world_, peer_)) return;
  }
  if (service_ == Service::imaps &&
      (!world_.options.tls ||
       !stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))))
    return;
  line("* OK [CAPABILITY " + capabilities() +
       "] Stalwart IMAP4rev2 at your service (rehearsal target).");
  while (is_open_) {
    ImapCommandText command;
    const Read read = read_command(command);
    if (read == Read::closed) return;
    if (read == Read::refused) continue;
    const auto tokens = imap_tokens(command);
    if (!tokens || tokens->size() < 2) {
      if (tokens && tokens->empty()) continue;
      line("* BAD Invalid command.");
      continue;
    }
    handle(*tokens);
  }
}

ImapSession::Read ImapSession::read_command(ImapCommandText& command) {
  std::size_t total = 0;
  for (;;) {
    auto text = net::read_line(reader_, kPatience, signal_);
    if (!text) {
      if (signal_.is_stopping())
        line("* BYE Server shutting down.");
      else if (text.error().is(net::errors::line_too_long))
        line("* BYE Command line too long.");
      return Read::closed;
    }
    const auto mark = literal_mark(*text);
    if (!mark) {
      command.lines.push_back(std::move(*text));
      return Read::ok;
    }
    total += mark->size;
    if (mark->size > kLiteralBytesMax || total > kCommandBytesMax) {
      const std::size_t blank = text->find(' ');
      line((command.lines.empty() ? text->substr(0, blank) : std::string("*")) +
           " NO [LIMIT] Literal too large.");
      if (mark->is_synchronising) return Read::refused;
      return Read::closed;
    }
    if (mark->is_synchronising) line("+ Ready for " + std::to_string(mark->size) + " bytes.");
    command.lines.push_back(text->substr(0, mark->begin));
    auto literal = reader_.bytes(mark->size, Deadline::after(std::chrono::minutes(5)));
    if (!literal) return Read::closed;
    command.literals.push_back(std::move(*literal));
  }
}

void ImapSession::handle(const Tokens& tokens) {
  tag_ = tokens[0].text;
  std::string verb = lower_ascii(tokens[1].text);
  Tokens rest(tokens.begin() + 2, tokens.end());
  const bool is_uid = verb == "uid";
  if (is_uid) {
    if (rest.empty()) return bad("Invalid command.");
    verb = lower_ascii(rest.front().text);
    rest.erase(rest.begin());
  }
  if (verb == "capability") {
    line("* CAPABILITY " + capabilities());
    return ok("CAPABILITY completed");
  }
  if (verb == "logout") {
    line("* BYE Stalwart IMAP4rev2 bids you farewell.");
    ok("LOGOUT completed");
    is_open_ = false;
    return;
  }
  if (verb == "id") {
    line("* ID (\"name\" \"Stalwart rehearsal target\" \"version\" \"1.0.0\" \"vendor\" \"plan\")");
    return ok("ID completed");
  }
  if (verb == "starttls") return starttls();
  if (verb == "login") return login(rest);
  if (verb == "authenticate") return authenticate(rest);
  if (verb == "noop" && !login_) return ok("NOOP completed");
  if (!login_) return bad("Command not allowed in this state.");

  if (verb == "noop" || verb == "check") {
    refresh();
    return ok(verb == "noop" ? "NOOP completed" : "CHECK completed");
  }
  if (verb == "namespace") {
    line("* NAMESPACE ((\"\" \"/\")) NIL NIL");
    return ok("NAMESPACE completed");
  }
  if (verb == "enable") {
    std::string enabled;
    for (const ImapToken& token : rest) {
      if (equals_ignoring_case(token.text, "UTF8=ACCEPT") ||
          equals_ignoring_case(token.text, "IMAP4rev2"))
        is_utf8_ = true;
      enabled += " " + token.text;
    }
    line("* ENABLED" + enabled);
    return ok("ENABLE successful.");
  }
  if (verb == "list") return list(rest, false);
  if (verb == "lsub") return list(rest, true);
  if (verb == "status") return status(rest);
  if (verb == "select" || verb == "examine") return select(rest, verb == "examine");
  if (verb == "create") return create(rest);
  if (verb == "delete") return remove(rest);
  if (verb == "rename") return rename(rest);
  if (verb == "subscribe") return subscribe(rest, true);
  if (verb == "unsubscribe") return subscribe(rest, false);
  if (verb == "append") return append(rest);
  if (verb == "getquotaroot" || verb == "getquota") return quota(rest, verb == "getquotaroot");
  if (verb == "getacl" && !rest.empty()) {
    line("* ACL " + imap_quoted(rest[0].text) + " " + imap_quoted(login_->name) + " rliteswkxpa");
    return ok("GETACL completed");
  }
  if (verb == "idle") return idle();
  if (verb == "unauthenticate") {
    login_.reset();
    selected_.reset();
    return ok("UNAUTHENTICATE completed");
  }
  if (!selected_) return bad("Command not allowed in this state.");
  if (verb == "fetch") return fetch(rest, is_uid);
  if (verb == "store") return store(rest, is_uid);
  if (verb == "search") return search(rest, is_uid);
  if (verb == "copy" || verb == "move") return copy(rest, is_uid, verb == "move");
  if (verb == "expunge") return expunge(is_uid ? &rest : nullptr, false);
  if (verb == "close" || verb == "unselect") {
    if (verb == "close" && !is_read_only_) {
      expunge(nullptr, true);
    }
    selected_.reset();
    return ok(verb == "close" ? "CLOSE completed" : "UNSELECT completed");
  }
  bad("Command not supported.");
}

void ImapSession::starttls() {
  if (stream_.is_tls() || !world_.options.tls) return no("TLS is not available.");
  if (reader_.buffered() > 0) {
    is_open_ = false;
    return;
  }
  ok("Begin TLS negotiation now");
  if (!stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))) is_open_ = false;
}

void ImapSession::login(const Tokens& arguments) {
  if (arguments.size() != 2) return bad("Expected a user name and a password.");
  finish_login(arguments[0].text, arguments[1].text, true);
}

void ImapSession::authenticate(const Tokens& arguments) {
  if (arguments.empty() || !equals_ignoring_case(arguments[0].text, "plain"))
    return no("Authentication mechanism not supported.");
  std::string coded;
  if (arguments.size() > 1) {
    coded = arguments[1].text;
  } else {
    line("+ \"\"");
    auto text = net::read_line(reader_, kPatience, signal_);
    if (!text) {
      is_open_ = false;
      return;
    }
    coded = *text;
  }
  if (coded == "*") return bad("Authentication cancelled.");
  bool is_valid = false;
  const std::string decoded = ir::from_base64(trim(coded), &is_valid);
  const auto parts = split(decoded, '\0');
  if (!is_valid || parts.size() != 3) return bad("Invalid SASL challenge.");
  const bool is_acting = !parts[0].empty() && parts[0] != parts[1];
  finish_login(
      is_acting ? std::string(parts[0]) + "%" + std::string(parts[1]) : std::string(parts[1]),
      std::string(parts[2]), false);
}

void ImapSession::finish_login(const std::string& user, const std::string& password,
                               bool is_login) {
  if (login_) return bad("Already authenticated.");
  bool may_be_plain = stream_.is_tls();
  std::int64_t max = 3;
  {
    const std::lock_guard lock(world_.mutex);
    may_be_plain =
        may_be_plain || world_.live->singleton("x:Imap")["allowPlainTextAuth"].bool_or(false);
    max = world_.live->singleton("x:Imap")["maxAuthFailures"].integer_or(3);
  }
  if (!may_be_plain)
    return no(is_login ? "LOGIN is disabled on the clear-text port."
                       : "Authentication is disabled on the clear-text port.");
  LoginResult result = log_in(world_, user, password, peer_);
  if (result.outcome == LoginOutcome::ok && !result.login.may("imapAuthenticate"))
    result.outcome = LoginOutcome::forbidden;
  if (result.outcome == LoginOutcome::forbidden) {
    is_open_ = false;  // the real server closes without a word
    return;
  }
  if (result.outcome != LoginOutcome::ok) {
    if (++failures_ > max) {
      line("* BYE Too many authentication failures.");
      is_open_ = false;
      return;
    }
    return no("[AUTHENTICATIONFAILED] Authentication failed");
  }
  login_ = std::move(result.login);
  ok("[CAPABILITY " + capabilities() + "] Authentication successful");
}

void ImapSession::idle() {
  line("+ idling");
  for (;;) {
    auto text = net::read_line(reader_, std::chrono::milliseconds(200), signal_);
    if (text) {
      if (!equals_ignoring_case(trim(*text), "done")) return bad("Expected DONE.");
      return ok("IDLE completed");
    }
    if (!text.error().is(net::errors::timed_out)) {
      if (signal_.is_stopping()) line("* BYE Server shutting down.");
      is_open_ = false;
      return;
    }
    refresh();
    if (!is_open_) return;
  }
}

void serve_imap(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal) {
  ImapSession(world, service, *stream, signal).run();
  stream->close();
}

}  // namespace plan::rehearsal
