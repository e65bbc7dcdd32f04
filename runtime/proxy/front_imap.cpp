// IMAP before login: RFC 9051 / 3501 sections 6.1 and 6.2, SASL-IR (RFC 4959), LITERAL+ (RFC 7888),
// ID (RFC 2971), response codes of RFC 5530.
#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {
namespace {

/// tag = 1*<any ASTRING-CHAR except "+">
bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kTagBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f &&
           std::string_view("(){%*\"\\+").find(c) == std::string_view::npos;
  });
}

class ImapFront final : public FrontBase {
 public:
  using FrontBase::FrontBase;

  FrontStep start() override {
    return {.output = "* OK [CAPABILITY " + capabilities() + "] " + options_.server_name +
                      " ready" + greeting_mark() + "\r\n"};
  }
  FrontStep unavailable() override {
    FrontStep step;
    step.output =
        login_.tag +
        " NO [UNAVAILABLE] Mailbox is not available at the moment, the password was not judged\r\n";
    end(step);
    return step;
  }
  std::string goodbye() const override {
    return "* BYE " + options_.server_name + " closing connection\r\n";
  }
  std::string keepalive() const override { return "* OK Still here\r\n"; }

 protected:
  bool process(FrontStep& step) override {
    if (is_sasl_) return process_sasl(step);
    switch (collector_.collect(input_)) {
      case CommandCollector::Got::more:
        return false;
      case CommandCollector::Got::continuation:
        step.output += "+ Ready for literal\r\n";
        return true;
      case CommandCollector::Got::fatal:
        step.output += "* BAD Command is too long\r\n";
        end(step);
        return true;
      case CommandCollector::Got::literal_too_large: {
        const std::vector<CommandPart> parts = collector_.take();
        const std::string tag = tag_of(parts);
        step.output += (tag.empty() ? "*" : tag) + " BAD [TOOBIG] Literal is too large\r\n";
        count_bad(step);
        return true;
      }
      case CommandCollector::Got::command:
        break;
    }
    command(collector_.take(), step);
    return true;
  }
  void forget() override {
    FrontBase::forget();
    static_cast<void>(collector_.take());
    is_sasl_ = false;
  }

 private:
  std::string capabilities() const {
    std::string list = "IMAP4rev1 LITERAL+ SASL-IR ID";
    if (is_starttls_possible()) list += " STARTTLS";
    list += may_log_in() ? " AUTH=PLAIN AUTH=LOGIN" : " LOGINDISABLED";
    return list;
  }

  static std::string tag_of(const std::vector<CommandPart>& parts) {
    std::vector<CommandToken> tokens;
    if (!split_command(parts, tokens) || tokens.empty() ||
        tokens[0].kind != CommandToken::Kind::atom || !is_tag(tokens[0].text))
      return "";
    return tokens[0].text;
  }

  void bad(FrontStep& step, const std::string& tag, std::string_view words) {
    step.output += tag + " BAD " + std::string(words) + "\r\n";
    count_bad(step);
  }

  void command(const std::vector<CommandPart>& parts, FrontStep& step) {
    if (parts.size() == 1 && trim(parts[0].text).empty()) return;  // empty lines are ignored
    std::vector<CommandToken> tokens;
    const bool is_split = split_command(parts, tokens);
    if (tokens.empty() || tokens[0].kind != CommandToken::Kind::atom || !is_tag(tokens[0].text))
      return bad(step, "*", "A command begins with a tag");
    const std::string tag = tokens[0].text;
    if (!is_split) return bad(step, tag, "The arguments cannot be read");
    if (tokens.size() < 2 || tokens[1].kind != CommandToken::Kind::atom)
      return bad(step, tag, "No command");
    const std::string& word = tokens[1].text;
    const auto is = [&word](std::string_view name) { return equals_ignoring_case(word, name); };
    if (is("CAPABILITY")) {
      step.output += "* CAPABILITY " + capabilities() + "\r\n" + tag + " OK Done\r\n";
    } else if (is("NOOP")) {
      step.output += tag + " OK Done\r\n";
    } else if (is("ID")) {
      step.output += "* ID NIL\r\n" + tag + " OK Done\r\n";
    } else if (is("LOGOUT")) {
      step.output += "* BYE Logging out\r\n" + tag + " OK Done\r\n";
      step.next = FrontStep::Next::close;
    } else if (is("STARTTLS")) {
      start_tls(tag, step);
    } else if (is("LOGIN")) {
      log_in(tag, tokens, step);
    } else if (is("AUTHENTICATE")) {
      authenticate(tag, tokens, step);
    } else {
      bad(step, tag, "Not known, or not before login");
    }
  }

  void start_tls(const std::string& tag, FrontStep& step) {
    if (!is_starttls_possible()) return bad(step, tag, "STARTTLS is not possible here");
    if (is_injection()) {
      bad(step, tag, "Nothing may follow STARTTLS before TLS is there");
      if (step.next != FrontStep::Next::close) end(step);
      return;
    }
    step.output += tag + " OK Begin TLS now\r\n";
    step.next = FrontStep::Next::start_tls;
  }

  bool is_private(const std::string& tag, FrontStep& step) {
    if (may_log_in()) return true;
    step.output += tag + " NO [PRIVACYREQUIRED] Use TLS first\r\n";
    count_bad(step);
    return false;
  }

  void log_in(const std::string& tag, const std::vector<CommandToken>& tokens, FrontStep& step) {
    if (!is_private(tag, step)) return;
    if (tokens.size() != 4) return bad(step, tag, "LOGIN takes a name and a password");
    login_ = LoginRequest();
    login_.tag = tag;
    login_.credential.login = tokens[2].text;
    login_.credential.password = secret::Secret(tokens[3].text);
    if (login_.credential.is_usable()) {
      step.next = FrontStep::Next::login;
    } else {
      not_usable(step);
    }
  }

  void not_usable(FrontStep& step) {
    step.output += login_.tag + " NO [AUTHENTICATIONFAILED] Name or password cannot be used\r\n";
    count_failure(step);
  }

  void authenticate(const std::string& tag, const std::vector<CommandToken>& tokens,
                    FrontStep& step) {
    if (tokens.size() < 3 || tokens.size() > 4)
      return bad(step, tag, "AUTHENTICATE takes a mechanism and perhaps a response");
    if (!is_private(tag, step)) return;
    login_ = LoginRequest();
    login_.tag = tag;
    const auto mechanism = SaslServer::mechanism_by_name(tokens[2].text);
    if (!mechanism) {
      step.output += tag + " NO [CANNOT] Mechanism is not supported\r\n";
      count_bad(step);
      return;
    }
    std::optional<std::string_view> initial;
    if (tokens.size() == 4) initial = tokens[3].text;
    sasl_result(sasl_.start(*mechanism, initial), step);
  }

  bool process_sasl(FrontStep& step) {
    std::string line;
    switch (input_.take_line(kFrontLineBytesMax, line)) {
      case InputBuffer::Got::more:
        return false;
      case InputBuffer::Got::too_long:
        step.output += login_.tag + " BAD Response is too long\r\n";
        end(step);
        return true;
      case InputBuffer::Got::line:
        break;
    }
    is_sasl_ = false;
    sasl_result(sasl_.answer(line), step);
    return true;
  }

  void sasl_result(SaslServer::Progress progress, FrontStep& step) {
    if (goes_on(progress, step, "+ ", {})) return;
    if (progress == SaslServer::Progress::cancelled)
      return bad(step, login_.tag, "Authentication cancelled");
    not_usable(step);
  }

  CommandCollector collector_{true};
};

}  // namespace

std::unique_ptr<FrontMachine> make_imap_front(FrontOptions options) {
  return std::make_unique<ImapFront>(std::move(options));
}

}  // namespace plan::proxy
