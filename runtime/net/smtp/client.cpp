#include "runtime/net/smtp/client.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/smtp/limits.h"

namespace plan::net::smtp {
namespace {

Error broken(std::string message) {
  return Error(errors::protocol_violation, std::move(message))
      .with_effect(Effect::unknown)
      .with_blame(Blame::network);
}

Error refused(std::string_view what, const Reply& reply) {
  Error error(errors::refused, fmt::format("the server refused {}", what));
  if (reply.is_temporary()) error = std::move(error).with_retry_after(std::chrono::seconds(5));
  return std::move(error).with_blame(Blame::network).with_detail(reply.to_text());
}

/// Before any data went out a failed exchange has changed nothing.
Error without_effect(Error error) { return std::move(error).with_effect(Effect::none); }

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

/// Whether an address can stand between < and > without ending the command or the path.
bool fits_a_command(std::string_view address) {
  return address.size() <= kAddressBytesMax &&
         std::none_of(address.begin(), address.end(), [](char byte) {
           return static_cast<unsigned char>(byte) <= 0x20 || byte == 0x7f || byte == '<' ||
                  byte == '>';
         });
}

secret::Secret base64(const std::string& text) {
  std::string coded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(coded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  coded.resize(static_cast<std::size_t>(size));
  return secret::Secret(std::move(coded));
}

}  // namespace

std::string Reply::to_text() const {
  std::string text = std::to_string(code);
  for (std::size_t index = 0; index < lines.size(); ++index)
    text += (index == 0 ? " " : "; ") + lines[index];
  return printable(text);
}

std::string dot_stuffed(std::string_view message) {
  std::string text;
  text.reserve(message.size() + message.size() / 32 + 8);
  bool is_line_start = true;
  for (std::size_t index = 0; index < message.size(); ++index) {
    const char byte = message[index];
    if (byte == '\r' || byte == '\n') {
      // A bare CR or LF would be read as a line end by some servers only: smuggling.
      if (byte == '\r' && index + 1 < message.size() && message[index + 1] == '\n') ++index;
      text += "\r\n";
      is_line_start = true;
      continue;
    }
    if (is_line_start && byte == '.') text += '.';
    text += byte;
    is_line_start = false;
  }
  if (!is_line_start) text += "\r\n";
  text += ".\r\n";
  return text;
}

Client::Client(std::unique_ptr<SocketStream> stream)
    : stream_(std::move(stream)), reader_(*stream_, kReplyLineBytesMax) {}

Client::~Client() = default;

Result<Reply> read_reply(LineReader& reader, Deadline deadline) {
  Reply reply;
  while (true) {
    PLAN_TRY(line, reader.line(deadline));
    int code = 0;
    const bool is_number =
        line.size() >= 3 &&
        std::from_chars(line.data(), line.data() + 3, code).ptr == line.data() + 3;
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (!is_number || code < 200 || code > 599 || (separator != ' ' && separator != '-')) {
      return std::move(broken("this is no SMTP reply")).with_detail(line);
    }
    if (reply.code != 0 && reply.code != code)
      return std::move(broken("two codes in one SMTP reply")).with_detail(line);
    reply.code = code;
    reply.lines.push_back(line.size() > 4 ? line.substr(4) : std::string());
    if (separator == ' ') return reply;
    if (reply.lines.size() == kReplyLinesMax) {
      return broken(fmt::format("an SMTP reply has more than {} lines", kReplyLinesMax));
    }
  }
}

Result<Reply> Client::command(std::string_view line, Deadline deadline) {
  PLAN_TRY_VOID(stream_->write_all(fmt::format("{}\r\n", line), deadline));
  return read_reply(reader_, deadline);
}

Outcome Client::say_ehlo(const std::string& name, Deadline deadline) {
  PLAN_TRY(reply, command("EHLO " + name, deadline));
  if (!reply.is_success()) return refused("EHLO", reply);
  capabilities_ = std::move(reply);
  return {};
}

Result<std::unique_ptr<Client>> Client::connect(const ConnectOptions& options, Deadline deadline) {
  const std::string where =
      fmt::format("connecting to {} port {} by SMTP", options.host, options.port);
  if (!fits_a_command(options.ehlo_name) || options.ehlo_name.empty()) {
    return Error(errors::refused, "the EHLO name cannot stand in a command");
  }
  PLAN_TRY(
      stream,
      connect_tcp(options.host, options.port, deadline, options.bind_address).while_doing(where));
  std::unique_ptr<Client> client(new Client(std::move(stream)));
  const auto begin = [&]() -> Outcome {
    if (!options.proxy_header.empty()) {
      PLAN_TRY_VOID(client->stream_->write_all(options.proxy_header + "\r\n", deadline));
    }
    if (options.security == Security::tls)
      PLAN_TRY_VOID(client->stream_->start_tls(options.tls, deadline));
    PLAN_TRY(greeting, read_reply(client->reader_, deadline));
    if (!greeting.is_success()) return refused("the connection", greeting);
    client->greeting_ = std::move(greeting);
    PLAN_TRY_VOID(client->say_ehlo(options.ehlo_name, deadline));
    if (options.security != Security::starttls) return {};
    if (!client->has("STARTTLS")) {
      return Error(errors::refused, "the server does not offer STARTTLS")
          .with_blame(Blame::network);
    }
    PLAN_TRY(answer, client->command("STARTTLS", deadline));
    if (!answer.is_success()) return refused("STARTTLS", answer);
    PLAN_TRY_VOID(client->reader_.check_nothing_ahead());
    PLAN_TRY_VOID(client->stream_->start_tls(options.tls, deadline));
    return client->say_ehlo(options.ehlo_name,
                            deadline);  // what was said in clear text is forgotten (RFC 3207 4.2)
  };
  Outcome outcome = begin();
  if (!outcome) return std::move(without_effect(std::move(outcome).error())).while_doing(where);
  return client;
}

Outcome Client::login(std::string_view user, const secret::Secret& password, Deadline deadline) {
  if (!stream_->is_tls() && stream_->peer_address() != "127.0.0.1" &&
      stream_->peer_address() != "::1") {
    return Error(errors::refused, "a password is not sent in clear text over the network")
        .with_blame(Blame::plan);
  }
  std::string plain;
  plain += '\0';
  plain += user;
  plain += '\0';
  plain += password.reveal_for("SMTP AUTH PLAIN");
  const secret::Secret response(std::move(plain));
  const secret::Secret coded = base64(response.reveal_for("base64"));
  auto answer = command("AUTH PLAIN " + coded.reveal_for("SMTP AUTH PLAIN"), deadline);
  if (!answer) return without_effect(std::move(answer).error());
  if (answer->code == 235) return {};
  if (answer->is_temporary()) return refused("the login for now", *answer);
  return Error(errors::login_refused,
               fmt::format("the server refused the login of `{}`", printable(user)))
      .with_blame(Blame::network)
      .with_detail(answer->to_text());
}

Result<SendResult> Client::open_transaction(const Envelope& envelope, std::string_view message,
                                            Deadline deadline) {
  if (envelope.recipients.empty() || envelope.recipients.size() > kRecipientsMax) {
    return Error(errors::refused, fmt::format("a message has 1 to {} recipients, this one {}",
                                              kRecipientsMax, envelope.recipients.size()));
  }
  bool needs_utf8 = !is_ascii(envelope.sender);
  bool is_writable = fits_a_command(envelope.sender);
  for (const std::string& address : envelope.recipients) {
    needs_utf8 = needs_utf8 || !is_ascii(address);
    is_writable = is_writable && fits_a_command(address) && !address.empty();
  }
  if (!is_writable) return Error(errors::refused, "an address cannot stand in an SMTP command");
  if (needs_utf8 && !has("SMTPUTF8"))
    return Error(errors::refused, "the server takes no addresses in UTF-8");

  std::string mail = fmt::format("MAIL FROM:<{}>", envelope.sender);
  if (!message.empty() && has("SIZE")) mail += fmt::format(" SIZE={}", message.size());
  if (!is_ascii(message) && has("8BITMIME")) mail += " BODY=8BITMIME";
  if (needs_utf8) mail += " SMTPUTF8";
  SendResult result;
  PLAN_TRY(sender_reply, command(mail, deadline));
  if (!sender_reply.is_success()) {
    result.reply = std::move(sender_reply);
    return result;
  }
  for (const std::string& address : envelope.recipients) {
    PLAN_TRY(reply, command(fmt::format("RCPT TO:<{}>", address), deadline));
    if (reply.is_success()) {
      result.is_accepted = true;
    } else if (result.reply.code == 0) {
      result.reply = reply;
    }
    result.recipients.push_back({address, std::move(reply)});
  }
  return result;
}

Result<SendResult> Client::ask(const Envelope& envelope, Deadline deadline) {
  auto result = open_transaction(envelope, {}, deadline);
  if (!result) return without_effect(std::move(result).error());
  auto reset = command("RSET", deadline);
  if (!reset) return without_effect(std::move(reset).error());
  if (result->is_accepted) result->reply = result->recipients.front().reply;
  return result;
}

Result<SendResult> Client::send(const Envelope& envelope, std::string_view message,
                                Deadline deadline) {
  auto result = open_transaction(envelope, message, deadline);
  if (!result) return without_effect(std::move(result).error());
  if (!result->is_accepted) {
    auto reset = command("RSET", deadline);
    if (!reset) return without_effect(std::move(reset).error());
    return result;
  }
  auto ready = command("DATA", deadline);
  if (!ready) return without_effect(std::move(ready).error());
  if (ready->code != 354) {
    result->is_accepted = false;
    result->reply = std::move(*ready);
    return result;
  }
  PLAN_TRY_VOID(
      stream_->write_all(dot_stuffed(message), deadline).while_doing("sending a message"));
  PLAN_TRY(answer,
           read_reply(reader_, deadline).while_doing("waiting for the answer to a message"));
  result->is_accepted = answer.is_success();
  result->reply = std::move(answer);
  return result;
}

void Client::quit(Deadline deadline) {
  [[maybe_unused]] const bool is_said = command("QUIT", deadline).has_value();
  stream_->close();
}

bool Client::has(std::string_view keyword) const {
  for (std::size_t index = 1; index < capabilities_.lines.size(); ++index) {
    const std::string_view line = capabilities_.lines[index];
    if (equals_ignoring_case(line.substr(0, line.find(' ')), keyword)) return true;
  }
  return false;
}

std::string Client::parameter(std::string_view keyword) const {
  for (std::size_t index = 1; index < capabilities_.lines.size(); ++index) {
    const std::string_view line = capabilities_.lines[index];
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos && equals_ignoring_case(line.substr(0, blank), keyword)) {
      return std::string(line.substr(blank + 1));
    }
  }
  return {};
}

}  // namespace plan::net::smtp
