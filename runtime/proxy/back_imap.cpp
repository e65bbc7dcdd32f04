// The proxy as IMAP client: greeting, STARTTLS, CAPABILITY, ID (reference/migration-proxy.md 9.3),
// AUTHENTICATE or LOGIN.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/proxy/back_base.h"

namespace plan::proxy {
namespace {

/// Rest of `line` after `word` and a blank (or at its end), case-insensitive.
std::optional<std::string_view> after_word(std::string_view line, std::string_view word) {
  if (line.size() < word.size() || !equals_ignoring_case(line.substr(0, word.size()), word))
    return std::nullopt;
  if (line.size() == word.size()) return std::string_view();
  if (line[word.size()] != ' ') return std::nullopt;
  return line.substr(word.size() + 1);
}

/// What stands in `[CAPABILITY ...]` of a response text.
std::optional<std::string_view> capability_code(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) return std::nullopt;
  return after_word(text.substr(1, end - 1), "CAPABILITY");
}

bool is_quotable(std::string_view text) {
  return text.size() <= 1000 && std::all_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte < 0x7f;
         });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

class ImapBack final : public BackBase {
 public:
  using BackBase::BackBase;

 protected:
  void after_tls(BackStep& step) override {
    capabilities_.clear();
    is_capability_known_ = false;
    if (options_.tls == TlsMode::starttls) ask_capability(step);
  }

  void line(const std::string& text, BackStep& step) override {
    switch (state_) {
      case State::greeting:
        return greeting_line(text, step);
      case State::starttls:
        return starttls_line(text, step);
      case State::capability:
        return capability_line(text, step);
      case State::id:
        if (after_word(text, "P3"))
          log_in(step);  // whatever it says: the announcement is a courtesy
        return;
      case State::verdict:
        return verdict_line(text, step);
      case State::late_capability:
        return late_capability_line(text, step);
    }
  }

 private:
  enum class State : std::uint8_t { greeting, starttls, capability, id, verdict, late_capability };

  void note_capabilities(std::string_view list) {
    capabilities_ = upper_words(list);
    is_capability_known_ = true;
  }

  void greeting_line(const std::string& text, BackStep& step) {
    const auto rest = after_word(text, "* OK");
    if (!rest) return fail(step, "the greeting is not OK: " + printable(text, 200));
    if (const auto list = capability_code(*rest)) note_capabilities(*list);
    if (needs_tls()) {
      if (is_capability_known_ && !has_word(capabilities_, "STARTTLS"))
        return fail(step, "STARTTLS is not offered");
      step.output += "P1 STARTTLS\r\n";
      state_ = State::starttls;
    } else if (!is_capability_known_) {
      ask_capability(step);
    } else {
      announce(step);
    }
  }

  void starttls_line(const std::string& text, BackStep& step) {
    if (text.starts_with("* ")) return;
    if (!after_word(text, "P1 OK"))
      return fail(step, "STARTTLS was refused: " + printable(text, 200));
    ask_for_tls(step);
  }

  void ask_capability(BackStep& step) {
    step.output += "P2 CAPABILITY\r\n";
    state_ = State::capability;
  }

  void capability_line(const std::string& text, BackStep& step) {
    if (const auto list = after_word(text, "* CAPABILITY")) return note_capabilities(*list);
    if (after_word(text, "* BYE")) return fail(step, "the backend said BYE");
    if (text.starts_with("* ")) return;
    if (!after_word(text, "P2 OK") || !is_capability_known_)
      return fail(step, "CAPABILITY was refused");
    announce(step);
  }

  void announce(BackStep& step) {
    if (!options_.is_announced || !has_word(capabilities_, "ID")) return log_in(step);
    const ClientInfo& client = options_.client;
    step.output += fmt::format(
        "P3 ID (\"x-originating-ip\" {} \"x-originating-port\" \"{}\" \"x-connected-ip\" {} "
        "\"x-connected-port\" \"{}\" "
        "\"x-proxy-ttl\" \"4\" \"x-session-id\" {} \"x-client-transport\" \"{}\")\r\n",
        quoted(client.address), client.port, quoted(client.local_address), client.local_port,
        quoted(client.session), client.is_tls ? "TLS" : "insecure");
    state_ = State::id;
  }

  void log_in(BackStep& step) {
    state_ = State::verdict;
    if (has_word(capabilities_, "AUTH=PLAIN")) {
      response_ = credential().plain_base64();
      if (has_word(capabilities_, "SASL-IR")) {
        step.output += fmt::format("{} AUTHENTICATE PLAIN {}\r\n", request_->tag, response_);
        response_.clear();
      } else {
        step.output += request_->tag + " AUTHENTICATE PLAIN\r\n";
      }
      return;
    }
    if (has_word(capabilities_, "LOGINDISABLED") || !credential().authorize_as.empty()) {
      return fail(step,
                  "the backend offers no way of logging in that fits (AUTH=PLAIN is missing)");
    }
    const std::string& password = credential().password.reveal_for("passing the client's login on");
    if (is_quotable(credential().login) && is_quotable(password)) {
      step.output += fmt::format("{} LOGIN {} {}\r\n", request_->tag, quoted(credential().login),
                                 quoted(password));
      return;
    }
    step.output += fmt::format("{} LOGIN {{{}}}\r\n", request_->tag, credential().login.size());
    response_ = fmt::format("{} {{{}}}", credential().login, password.size());
    second_response_ = password;
  }

  void verdict_line(const std::string& text, BackStep& step) {
    if (text.starts_with("+")) {
      if (response_.empty()) {  // it wants more than we have: cancel, its tagged answer follows
        step.output += "*\r\n";
        return;
      }
      step.output += response_ + "\r\n";
      response_ = std::move(second_response_);
      second_response_.clear();
      return;
    }
    if (after_word(text, "* BYE"))
      return fail(step, "the backend said BYE: " + printable(text, 200));
    if (after_word(text, "* CAPABILITY")) is_capability_shown_ = true;
    const auto rest = after_word(text, request_->tag);
    if (!rest) {
      if (text.starts_with("* "))
        static_cast<void>(keep(text, step));
      else
        fail(step, "an answer to nothing that was asked: " + printable(text, 200));
      return;
    }
    if (const auto words = after_word(*rest, "OK")) {
      if (capability_code(*words) || is_capability_shown_) {
        if (keep(text, step)) accept(step);
        return;
      }
      // The client believes what this proxy advertised until somebody tells it better.
      tagged_ok_ = text;
      step.output += "P4 CAPABILITY\r\n";
      state_ = State::late_capability;
      return;
    }
    const auto no = after_word(*rest, "NO");
    if (!no && !after_word(*rest, "BAD"))
      return fail(step, "a tagged answer that is neither OK, NO nor BAD");
    if (!keep(text, step)) return;
    const std::string words = no ? lower_ascii(*no) : "";
    refuse(step, words.starts_with("[unavailable]") || words.starts_with("[inuse]") ||
                     words.starts_with("[serverbug]"));
  }

  void late_capability_line(const std::string& text, BackStep& step) {
    if (after_word(text, "* BYE")) return fail(step, "the backend said BYE after the login");
    if (const auto rest = after_word(text, "P4")) {
      if (keep(tagged_ok_, step)) accept(step);
      return;
    }
    if (text.starts_with("* "))
      static_cast<void>(keep(text, step));
    else
      fail(step, "an answer to nothing that was asked");
  }

  State state_ = State::greeting;
  std::vector<std::string> capabilities_;
  std::string response_;
  std::string second_response_;
  std::string tagged_ok_;
  bool is_capability_known_ = false;
  bool is_capability_shown_ = false;
};

}  // namespace

std::unique_ptr<BackMachine> make_imap_back(BackOptions options, const LoginRequest& request) {
  return std::make_unique<ImapBack>(std::move(options), request);
}

}  // namespace plan::proxy
