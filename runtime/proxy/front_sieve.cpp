// ManageSieve before login: RFC 5804 sections 1.7, 2.1 to 2.4, 2.13.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {
namespace {

/// What both Dovecot's Pigeonhole and Stalwart have: a client may look before it logs in.
constexpr std::string_view kExtensions =
    "body comparator-i;ascii-numeric copy date editheader encoded-character enotify envelope "
    "environment fileinto "
    "foreverypart ihave imap4flags include index mailbox mime regex reject relational subaddress "
    "vacation variables";

constexpr FrontWords kWords{
    .challenge_begin = "\"",
    .challenge_end = "\"",
    .unusable = "NO \"Name or password cannot be used\"",
    .cancelled = "NO \"Authentication cancelled\"",
    .tls_begins = "OK \"Begin TLS now\"",
    .tls_not_here = "NO \"STARTTLS is not possible here\"",
    .tls_injection = "NO \"Nothing may follow STARTTLS before TLS is there\"",
};

class SieveFront final : public FrontBase {
 public:
  using FrontBase::FrontBase;

  FrontStep start() override {
    return {.output = capabilities(options_.server_name + " ready" + greeting_mark())};
  }
  FrontStep unavailable() override {
    FrontStep step;
    step.output =
        "NO (TRYLATER) \"Mailbox is not available at the moment, the password was not judged\"\r\n";
    step.next = FrontStep::Next::close;
    return step;
  }
  std::string goodbye() const override {
    return "BYE \"" + options_.server_name + " closing connection\"\r\n";
  }
  std::string keepalive() const override { return ""; }

 protected:
  bool process(FrontStep& step) override {
    switch (collector_.collect(input_)) {
      case CommandCollector::Got::more:
        return false;
      case CommandCollector::Got::continuation:
        return true;
      case CommandCollector::Got::literal_too_large:
      case CommandCollector::Got::fatal:
        step.output += "NO \"Command is too long\"\r\n";
        end(step);
        return true;
      case CommandCollector::Got::command:
        break;
    }
    const std::vector<CommandPart> parts = collector_.take();
    if (!is_sasl_ && parts.size() == 1 && trim(parts[0].text).empty()) return true;
    std::vector<CommandToken> tokens;
    const bool is_split = split_command(parts, tokens);
    if (is_sasl_) {
      // A string by RFC 5804; a bare base64 line is common in the field.
      is_sasl_ = false;
      if (!is_split || tokens.size() > 1) {
        no(step, "The response cannot be read");
        return true;
      }
      sasl_result(
          sasl_.answer(tokens.empty() ? std::string_view() : std::string_view(tokens[0].text)),
          step, kWords);
      return true;
    }
    if (!is_split || tokens.empty() || tokens[0].kind != CommandToken::Kind::atom) {
      no(step, "The command cannot be read");
      return true;
    }
    command(tokens, step);
    return true;
  }
  void forget() override {
    FrontBase::forget();
    static_cast<void>(collector_.take());
    is_sasl_ = false;
  }
  std::string after_tls() const override { return capabilities("TLS is there"); }  // RFC 5804 2.2

 private:
  std::string capabilities(const std::string& words) const {
    std::string text = "\"IMPLEMENTATION\" \"plan proxy\"\r\n\"VERSION\" \"1.0\"\r\n";
    text += may_log_in() ? "\"SASL\" \"PLAIN LOGIN\"\r\n" : "\"SASL\" \"\"\r\n";
    text += "\"SIEVE\" \"" + std::string(kExtensions) + "\"\r\n";
    if (is_starttls_possible()) text += "\"STARTTLS\"\r\n";
    return text + "OK \"" + words + "\"\r\n";
  }

  void no(FrontStep& step, std::string_view words) {
    bad_line(step, "NO \"" + std::string(words) + "\"");
  }

  void command(const std::vector<CommandToken>& tokens, FrontStep& step) {
    const std::string& word = tokens[0].text;
    const auto is = [&word](std::string_view name) { return equals_ignoring_case(word, name); };
    if (is("CAPABILITY")) {
      step.output += capabilities("Done");
    } else if (is("NOOP")) {
      if (tokens.size() > 1)
        step.output += fmt::format("OK (TAG {{{}}}\r\n{}) \"Done\"\r\n", tokens[1].text.size(),
                                   tokens[1].text);
      else
        step.output += "OK \"Done\"\r\n";
    } else if (is("LOGOUT")) {
      step.output += "OK \"Bye\"\r\n";
      step.next = FrontStep::Next::close;
    } else if (is("STARTTLS")) {
      start_tls(step, kWords);
    } else if (is("AUTHENTICATE")) {
      authenticate(tokens, step);
    } else {
      no(step, "Not known, or not before login");
    }
  }

  void authenticate(const std::vector<CommandToken>& tokens, FrontStep& step) {
    if (tokens.size() < 2 || tokens.size() > 3)
      return no(step, "AUTHENTICATE takes a mechanism and perhaps a response");
    if (!may_log_in()) {
      return bad_line(step, "NO (ENCRYPT-NEEDED) \"Use STARTTLS first\"");
    }
    login_ = LoginRequest();
    const auto mechanism = SaslServer::mechanism_by_name(tokens[1].text);
    if (!mechanism) return no(step, "Mechanism is not supported");
    std::optional<std::string_view> initial;
    if (tokens.size() == 3) initial = tokens[2].text;
    sasl_result(sasl_.start(*mechanism, initial), step, kWords);
  }

  CommandCollector collector_{false};
};

}  // namespace

std::unique_ptr<FrontMachine> make_sieve_front(FrontOptions options) {
  return std::make_unique<SieveFront>(std::move(options));
}

}  // namespace plan::proxy
