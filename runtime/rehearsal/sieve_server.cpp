#include "runtime/rehearsal/sieve_server.h"

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/imap_text.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/schema_facts.h"
#include "runtime/rehearsal/sieve_check.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::size_t kLineBytesMax = 8192;
constexpr std::size_t kLiteralBytesMax = std::size_t{1} << 20U;
constexpr std::chrono::minutes kPatience{30};
constexpr std::chrono::seconds kWritePatience{60};

class Session {
 public:
  Session(World& world, net::SocketStream& stream, const net::StopSignal& signal)
      : world_(world),
        stream_(stream),
        signal_(signal),
        reader_(stream, kLineBytesMax),
        peer_(stream.peer_address()) {}

  void run() {
    {
      const std::lock_guard lock(world_.mutex);
      if (is_blocked(world_, peer_)) return;
    }
    greet(true);
    while (is_open_) {
      ImapCommandText text;
      if (!read(text)) return;
      const auto tokens = imap_tokens(text);
      if (!tokens) {
        line("NO \"Invalid command.\"");
        continue;
      }
      if (!tokens->empty()) handle(*tokens);
    }
  }

 private:
  void line(const std::string& text) {
    is_open_ =
        stream_.write_all(text + "\r\n", Deadline::after(kWritePatience)).has_value() && is_open_;
  }

  void greet(bool with_words) {
    std::string extensions;
    {
      const std::lock_guard lock(world_.mutex);
      for (const std::string& name : world_.schema->enum_values("SieveCapability"))
        if (!name.starts_with("vnd."))  // its own are for system scripts
          extensions += (extensions.empty() ? "" : " ") + name;
    }
    line("\"IMPLEMENTATION\" \"Stalwart ManageSieve (rehearsal target)\"");
    line("\"VERSION\" \"1.0\"");
    if (!stream_.is_tls() && world_.options.tls) line("\"STARTTLS\"");
    line(stream_.is_tls() ? "\"SASL\" \"PLAIN OAUTHBEARER XOAUTH2\""
                          : "\"SASL\" \"OAUTHBEARER XOAUTH2\"");
    line("\"SIEVE\" \"" + extensions + "\"");
    line("\"NOTIFY\" \"mailto\"");
    line("\"MAXREDIRECTS\" \"1\"");
    line(with_words ? "OK \"Stalwart ManageSieve at your service (rehearsal target).\"" : "OK");
  }

  bool read(ImapCommandText& text) {
    std::size_t total = 0;
    for (;;) {
      auto got = net::read_line(reader_, kPatience, signal_);
      if (!got) return false;
      const auto mark = literal_mark(*got);
      if (!mark) {
        text.lines.push_back(std::move(*got));
        return true;
      }
      total += mark->size;
      if (total > kLiteralBytesMax) {
        line("BYE \"Too large.\"");
        return false;
      }
      text.lines.push_back(got->substr(0, mark->begin));
      auto literal = reader_.bytes(mark->size, Deadline::after(kWritePatience));
      if (!literal) return false;
      text.literals.push_back(std::move(*literal));
    }
  }

  void handle(const std::vector<ImapToken>& tokens) {
    const std::string verb = lower_ascii(tokens[0].text);
    const auto argument = [&tokens](std::size_t index) {
      return index + 1 < tokens.size() ? tokens[index + 1].text : std::string{};
    };
    if (verb == "capability") return greet(false);
    if (verb == "noop") return line("OK \"Done.\"");
    if (verb == "logout") {
      line("OK \"Stalwart ManageSieve bids you farewell.\"");
      is_open_ = false;
      return;
    }
    if (verb == "starttls") {
      if (stream_.is_tls() || !world_.options.tls || reader_.buffered() > 0)
        return line("NO \"TLS is not available.\"");
      line("OK \"Begin TLS negotiation now\"");
      if (!stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))) {
        is_open_ = false;
        return;
      }
      return greet(true);
    }
    if (verb == "authenticate") return authenticate(argument(0), argument(1), tokens.size() > 2);
    if (!login_) return line("NO \"Authentication required\"");
    if (verb == "listscripts") return list();
    if (verb == "putscript") return put(argument(0), argument(1));
    if (verb == "checkscript") {
      const auto complaint = sieve_complaint(argument(0));
      return line(complaint ? "NO " + imap_quoted(*complaint) : "OK \"Script is valid.\"");
    }
    if (verb == "havespace") return line("OK");
    if (verb == "getscript") return get(argument(0));
    if (verb == "setactive") return activate(argument(0));
    if (verb == "deletescript") return remove(argument(0));
    if (verb == "renamescript") return rename(argument(0), argument(1));
    line("NO \"Invalid command.\"");
  }

  void authenticate(const std::string& mechanism, std::string coded, bool has_initial) {
    if (!stream_.is_tls()) {
      bool may = false;
      {
        const std::lock_guard lock(world_.mutex);
        may = world_.live->singleton("x:Imap")["allowPlainTextAuth"].bool_or(false);
      }
      if (!may) return line("NO (ENCRYPT-NEEDED) \"Cannot authenticate over plain-text.\"");
    }
    if (!equals_ignoring_case(mechanism, "plain"))
      return line("NO \"Authentication mechanism not supported.\"");
    if (!has_initial) {
      line("\"\"");
      ImapCommandText text;
      if (!read(text)) {
        is_open_ = false;
        return;
      }
      const auto tokens = imap_tokens(text);
      coded = tokens && !tokens->empty() ? tokens->front().text : std::string{};
    }
    bool is_valid = false;
    const std::string decoded = ir::from_base64(coded, &is_valid);
    const auto parts = split(decoded, '\0');
    if (!is_valid || parts.size() != 3) return line("NO \"Invalid SASL challenge.\"");
    const std::string user = parts[0].empty() || parts[0] == parts[1]
                                 ? std::string(parts[1])
                                 : std::string(parts[0]) + "%" + std::string(parts[1]);
    LoginResult result = log_in(world_, user, parts[2], peer_);
    if (result.outcome == LoginOutcome::ok && !result.login.may("sieveAuthenticate"))
      result.outcome = LoginOutcome::forbidden;
    if (result.outcome == LoginOutcome::forbidden) {
      is_open_ = false;
      return;
    }
    if (result.outcome != LoginOutcome::ok) {
      if (++failures_ > 3) {
        line("BYE \"Too many authentication failures.\"");
        is_open_ = false;
        return;
      }
      return line("NO \"Authentication failed\"");
    }
    login_ = std::move(result.login);
    line("OK \"Authentication successful\"");
  }

  MailAccount& account() { return world_.account(login_->account); }

  static SieveScript* script(MailAccount& account, const std::string& name) {
    for (auto& [id, each] : account.scripts)
      if (each.name == name) return &each;
    return nullptr;
  }

  void list() {
    std::string out;
    {
      const std::lock_guard lock(world_.mutex);
      for (const auto& [id, each] : account().scripts)
        out += imap_quoted(each.name) + (each.is_active ? " ACTIVE" : "") + "\r\n";
    }
    line(out + "OK");
  }

  void put(const std::string& name, const std::string& text) {
    std::string answer = "OK \"Success.\"";
    {
      const std::lock_guard lock(world_.mutex);
      const auto complaint = sieve_complaint(text);
      if (name.empty() || lower_ascii(name) == "vacation") {
        answer = "NO \"The 'vacation' name is reserved, please use a different name.\"";
      } else if (static_cast<std::int64_t>(text.size()) >
                 limit_of(world_, "x:SieveUserInterpreter", "maxScriptSize", 102'400)) {
        answer = "NO (QUOTA/MAXSIZE) \"Script is too large.\"";
      } else if (complaint) {
        answer = "NO " + imap_quoted(*complaint);
      } else {
        MailAccount& mail = account();
        world_.mail.open_change(mail);
        const std::string blob = world_.mail.put_blob(text);
        if (SieveScript* known = script(mail, name)) {
          world_.mail.refer(blob);
          world_.mail.release(known->blob);
          known->blob = blob;
          known->size = text.size();
          world_.mail.note(mail, ChangeKind::script, ChangeAction::updated, known->id);
          world_.mail.save(mail, *known);
          world_.mail.save(mail);
        } else if (static_cast<std::int64_t>(mail.scripts.size()) >=
                   limit_of(world_, "x:SieveUserInterpreter", "maxScripts", 100)) {
          answer = "NO (QUOTA/MAXSCRIPTS) \"Too many scripts.\"";
        } else {
          SieveScript fresh;
          fresh.name = name;
          fresh.blob = blob;
          fresh.size = text.size();
          world_.mail.add_script(mail, std::move(fresh));
        }
        world_.commit();
      }
    }
    line(answer);
  }

  void get(const std::string& name) {
    std::string text;
    bool is_found = false;
    {
      const std::lock_guard lock(world_.mutex);
      if (const SieveScript* known = script(account(), name)) {
        is_found = true;
        text = world_.mail.blob(known->blob).value_or("");
      }
    }
    line(is_found ? "{" + std::to_string(text.size()) + "}\r\n" + text + "\r\nOK"
                  : "NO (NONEXISTENT) \"ManageSieve error\"");
  }

  void activate(const std::string& name) {
    bool is_found = name.empty();
    {
      const std::lock_guard lock(world_.mutex);
      MailAccount& mail = account();
      is_found = is_found || script(mail, name) != nullptr;
      if (is_found)
        for (auto& [id, each] : mail.scripts) {
          if (each.is_active == (each.name == name)) continue;
          each.is_active = each.name == name;
          world_.mail.save(mail, each);
        }
      world_.commit();
    }
    line(is_found ? "OK \"Success\"" : "NO (NONEXISTENT) \"There is no script by that name\"");
  }

  void remove(const std::string& name) {
    std::string answer = "OK \"Deleted.\"";
    {
      const std::lock_guard lock(world_.mutex);
      MailAccount& mail = account();
      const SieveScript* known = script(mail, name);
      if (known == nullptr)
        answer = "NO (NONEXISTENT) \"There is no script by that name\"";
      else if (known->is_active)
        answer = "NO (ACTIVE) \"You may not delete an active script\"";
      else {
        world_.mail.open_change(mail);
        world_.mail.remove_script(mail, known->id);
        world_.commit();
      }
    }
    line(answer);
  }

  void rename(const std::string& from, const std::string& to) {
    std::string answer = "OK \"Success.\"";
    {
      const std::lock_guard lock(world_.mutex);
      MailAccount& mail = account();
      SieveScript* known = script(mail, from);
      if (known == nullptr)
        answer = "NO (NONEXISTENT) \"There is no script by that name\"";
      else if (to.empty() || script(mail, to) != nullptr)
        answer = "NO (ALREADYEXISTS) \"A sieve script with that name already exists.\"";
      else {
        world_.mail.open_change(mail);
        known->name = to;
        world_.mail.note(mail, ChangeKind::script, ChangeAction::updated, known->id);
        world_.mail.save(mail, *known);
        world_.mail.save(mail);
        world_.commit();
      }
    }
    line(answer);
  }

  World& world_;
  net::SocketStream& stream_;
  const net::StopSignal& signal_;
  net::LineReader reader_;
  std::string peer_;
  std::optional<Login> login_;
  int failures_ = 0;
  bool is_open_ = true;
};

}  // namespace

void serve_sieve(World& world, Service, std::unique_ptr<net::SocketStream> stream,
                 const net::StopSignal& signal) {
  Session(world, *stream, signal).run();
  stream->close();
}

}  // namespace plan::rehearsal
