#include "runtime/net/sieve/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/sieve/errors.h"

namespace plan::net::sieve {
namespace {

constexpr std::size_t kQuotedBytesMax = 1000;

Error violation(std::string message) {
  return Error(net::errors::protocol_violation, std::move(message)).with_effect(Effect::unknown);
}

std::string upper_ascii(std::string_view text) {
  std::string upper(text);
  for (char& letter : upper)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  return upper;
}

/// Words of several lines, as a compiler has them, in one.
std::string one_line(std::string_view words) {
  std::string text;
  for (const std::string_view part : split(words, '\n')) {
    const std::string_view line = trim(part);
    if (!line.empty()) text.append(text.empty() ? "" : "; ").append(line);
  }
  return text;
}

/// Size of the literal that a line announces at its end, and where the announcement begins.
struct Announced {
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
};

std::optional<Announced> announced(std::string_view line) {
  if (!line.ends_with('}')) return {};
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return {};
  std::string_view digits = line.substr(open + 1, line.size() - open - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  Announced found{.begin = open};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), found.bytes);
  if (digits.empty() || end != digits.data() + digits.size()) return {};
  if (error != std::errc()) found.bytes = UINT64_MAX;
  return found;
}

}  // namespace

bool Client::Word::is_atom(std::string_view name) const {
  return type == Type::atom && equals_ignoring_case(text, name);
}

Client::Client(std::unique_ptr<Stream> stream, const ClientOptions& options)
    : stream_(std::move(stream)),
      options_(options),
      reader_(*stream_, options.limits.line_bytes_max) {}

Client::~Client() { stream_->close(); }

Result<std::unique_ptr<Client>> Client::connect(const Endpoint& endpoint,
                                                const ClientOptions& options) {
  const std::string doing =
      fmt::format("connecting to ManageSieve at {} port {}", endpoint.host, endpoint.port);
  const auto deadline = Deadline::after(options.connect_max);
  const auto failed = [&](Error error) {
    return std::move(error).with_blame(options.blame).with_effect(Effect::none).while_doing(doing);
  };
  auto connected = connect_tcp(endpoint.host, endpoint.port, deadline);
  if (!connected) return failed(std::move(connected.error()));
  SocketStream* socket = connected->get();
  if (endpoint.security == Security::tls)
    if (auto done = socket->start_tls(endpoint.tls, deadline); !done)
      return failed(std::move(done.error()));
  auto client = std::unique_ptr<Client>(new Client(std::move(*connected), options));
  client->socket_ = socket;
  if (auto done = client->read_capabilities(); !done) return failed(std::move(done.error()));
  if (endpoint.security != Security::starttls) return client;
  if (client->capabilities_.count("STARTTLS") == 0)
    return failed(Error(errors::sieve_refused, "the server does not offer STARTTLS"));
  if (auto done = client->run("STARTTLS", "starting TLS", true); !done)
    return failed(std::move(done.error()));
  if (auto done = client->reader_.check_nothing_ahead(); !done)
    return failed(std::move(done.error()));
  if (auto done = socket->start_tls(endpoint.tls, Deadline::after(options.connect_max)); !done)
    return failed(std::move(done.error()));
  // The server tells its capabilities again by itself (RFC 5804, 2.2).
  if (auto done = client->read_capabilities(); !done) return failed(std::move(done.error()));
  return client;
}

Result<std::unique_ptr<Client>> Client::over(std::unique_ptr<Stream> stream,
                                             const ClientOptions& options) {
  auto client = std::unique_ptr<Client>(new Client(std::move(stream), options));
  PLAN_TRY_VOID(client->read_capabilities());
  return client;
}

std::string Client::peer_certificate_sha256() const {
  return socket_ == nullptr ? std::string() : socket_->peer_certificate_sha256();
}

Outcome Client::read_capabilities() {
  capabilities_.clear();
  PLAN_TRY(answer, read_answer("reading capabilities"));
  for (const Line& line : answer.lines)
    if (!line.empty())
      capabilities_[upper_ascii(line[0].text)] = line.size() > 1 ? line[1].text : std::string();
  return {};
}

Result<Client::Line> Client::read_line() {
  Line words;
  std::size_t literal_bytes = 0;
  const auto deadline = Deadline::after(options_.silence_max);
  while (true) {
    auto text = reader_.line(deadline);
    if (!text) return std::move(text.error()).with_blame(options_.blame);
    const auto literal = announced(*text);
    std::string_view rest = *text;
    if (literal) rest = rest.substr(0, literal->begin);
    if (rest.find('\0') != std::string_view::npos)
      return violation("a NUL outside of a literal").with_blame(options_.blame);
    while (!rest.empty()) {
      if (rest.front() == ' ') {
        rest.remove_prefix(1);
      } else if (rest.front() == '"') {
        Word word{.type = Word::Type::string};
        std::size_t index = 1;
        for (; index < rest.size() && rest[index] != '"'; ++index) {
          if (rest[index] == '\\' && index + 1 < rest.size()) ++index;
          word.text += rest[index];
        }
        if (index >= rest.size())
          return violation("a line ends inside a quoted string").with_blame(options_.blame);
        rest.remove_prefix(index + 1);
        words.push_back(std::move(word));
      } else if (rest.front() == '(') {
        // A response code: (QUOTA/MAXSCRIPTS), (TAG "x"), (SASL "..."). Kept whole.
        const std::size_t end = rest.find(')');
        words.push_back({.text = std::string(rest.substr(0, end))});
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      } else {
        const std::size_t end = rest.find(' ');
        words.push_back({.text = std::string(rest.substr(0, end))});
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
      }
    }
    if (!literal) return words;
    literal_bytes += std::min<std::size_t>(literal->bytes, options_.limits.literal_bytes_max + 1);
    if (literal_bytes > options_.limits.literal_bytes_max)
      return Error(net::errors::answer_too_large,
                   fmt::format("a string is over the limit of {} bytes",
                               options_.limits.literal_bytes_max))
          .with_effect(Effect::unknown)
          .with_blame(options_.blame);
    auto bytes = reader_.bytes(literal->bytes, Deadline::after(options_.silence_max));
    if (!bytes) return std::move(bytes.error()).with_blame(options_.blame);
    words.push_back({.type = Word::Type::string, .text = std::move(*bytes)});
  }
}

Result<Client::Answer> Client::read_answer(std::string_view doing) {
  Answer answer;
  while (true) {
    PLAN_TRY(line, read_line());
    const bool is_no = !line.empty() && line[0].is_atom("NO");
    const bool is_bye = !line.empty() && line[0].is_atom("BYE");
    const bool is_ok = !line.empty() && line[0].is_atom("OK");
    if (!is_no && !is_bye && !is_ok) {
      if (answer.lines.size() >= options_.limits.lines_max)
        return violation(fmt::format("an answer has more than {} lines", options_.limits.lines_max))
            .with_blame(options_.blame);
      answer.lines.push_back(std::move(line));
      continue;
    }
    for (std::size_t index = 1; index < line.size(); ++index) {
      if (line[index].type == Word::Type::string)
        answer.text = line[index].text;
      else if (line[index].text.starts_with('('))
        answer.code = upper_ascii(line[index].text.substr(1));
    }
    if (is_ok) return answer;
    const std::string words = one_line(answer.text);
    const std::string said =
        answer.code.empty() ? words : fmt::format("({}) {}", answer.code, words);
    if (is_bye)
      return Error(net::errors::connection_lost, "the ManageSieve server ends the connection")
          .with_effect(Effect::unknown)
          .with_retry(Retry::safe)
          .with_blame(options_.blame)
          .with_detail(said)
          .while_doing(std::string(doing));
    return Error(answer.code == "NONEXISTENT" ? errors::script_missing : errors::sieve_refused,
                 "the ManageSieve server answered NO")
        .with_blame(options_.blame)
        .with_detail(said)
        .while_doing(std::string(doing));
  }
}

Result<Client::Answer> Client::run(std::string_view command, std::string_view doing,
                                   bool is_read_only) {
  auto sent =
      stream_->write_all(fmt::format("{}\r\n", command), Deadline::after(options_.silence_max));
  if (!sent) return std::move(sent.error()).with_blame(options_.blame);
  auto answer = read_answer(doing);
  if (!answer && is_read_only) return std::move(answer.error()).with_effect(Effect::none);
  return answer;
}

std::string Client::quoted(std::string_view text) {
  const bool is_quotable =
      text.size() <= kQuotedBytesMax &&
      text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos;
  if (!is_quotable) return fmt::format("{{{}+}}\r\n{}", text.size(), text);
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + '"';
}

Outcome Client::authenticate_plain(std::string_view authorization, std::string_view user,
                                   const secret::Secret& password) {
  std::string message(authorization);
  message += '\0';
  message += user;
  message += '\0';
  message += password.reveal_for("ManageSieve AUTHENTICATE PLAIN");
  const std::string doing = fmt::format("logging in as {}", printable(user, 200));
  auto answer = run("AUTHENTICATE \"PLAIN\" " + quoted(ir::to_base64(message)), doing, true);
  if (answer) return {};
  if (!answer.error().is(errors::sieve_refused) && !answer.error().is(errors::script_missing))
    return std::move(answer.error());
  return Error(net::errors::login_refused, "the ManageSieve server refused the login")
      .with_blame(options_.blame)
      .with_detail(answer.error().detail())
      .while_doing(doing);
}

Result<std::vector<ScriptName>> Client::list() {
  PLAN_TRY(answer, run("LISTSCRIPTS", "listing scripts", true));
  std::vector<ScriptName> scripts;
  for (const Line& line : answer.lines) {
    if (line.empty() || line[0].type != Word::Type::string)
      return violation("a list of scripts with a line that names none").with_blame(options_.blame);
    scripts.push_back(
        {.name = line[0].text, .is_active = line.size() > 1 && line[1].is_atom("ACTIVE")});
  }
  return scripts;
}

Result<std::string> Client::get(std::string_view name) {
  const std::string doing = fmt::format("reading script {}", printable(name, 200));
  PLAN_TRY(answer, run("GETSCRIPT " + quoted(name), doing, true));
  if (answer.lines.size() != 1 || answer.lines[0].size() != 1 ||
      answer.lines[0][0].type != Word::Type::string)
    return violation("the answer to GETSCRIPT is not one string")
        .with_blame(options_.blame)
        .while_doing(doing);
  return std::move(answer.lines[0][0].text);
}

Outcome Client::put(std::string_view name, std::string_view script) {
  const std::string doing = fmt::format("writing script {}", printable(name, 200));
  auto answer = run(fmt::format("PUTSCRIPT {} {{{}+}}\r\n{}", quoted(name), script.size(), script),
                    doing, false);
  if (answer) return {};
  if (!answer.error().is(errors::sieve_refused)) return std::move(answer.error());
  const bool is_quota = answer.error().detail().starts_with("(QUOTA");
  return Error(is_quota ? errors::sieve_refused : errors::script_invalid,
               "the server refuses the script")
      .with_blame(options_.blame)
      .with_detail(answer.error().detail())
      .while_doing(doing);
}

Outcome Client::set_active(std::string_view name) {
  PLAN_TRY(answer, run("SETACTIVE " + quoted(name), "activating a script", false));
  (void)answer;
  return {};
}

Outcome Client::remove(std::string_view name) {
  PLAN_TRY(answer, run("DELETESCRIPT " + quoted(name), "deleting a script", false));
  (void)answer;
  return {};
}

void Client::logout() {
  (void)stream_->write_all("LOGOUT\r\n", Deadline::after(std::chrono::seconds(2)));
  stream_->close();
}

}  // namespace plan::net::sieve
