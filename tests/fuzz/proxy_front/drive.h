#pragma once
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/proxy/back_machine.h"
#include "runtime/proxy/boundary.h"
#include "runtime/proxy/front_machine.h"

namespace plan::proxy {

/// What must hold for every input of a client: the same outcome however the bytes were cut, output
/// that is bounded by a small multiple of the input, and no login that the machine would not vouch
/// for.
inline void drive_front(Protocol protocol, const unsigned char* data, std::size_t size) {
  if (size < 2) return;
  const std::size_t piece = 1U + data[0] % 32U;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  FrontOptions options;
  options.server_name = "mail.test";
  options.is_tls = (data[1] & 1U) != 0;
  options.is_starttls_offered = true;
  options.is_plain_login_allowed = (data[1] & 2U) != 0;
  std::string seen[2];
  for (int round = 0; round < 2; ++round) {
    const auto machine = make_front_machine(protocol, options);
    std::string& output = seen[round];
    output = machine->start().output;
    const std::size_t chunk = round == 0 ? input.size() + 1 : piece;
    bool is_over = false;
    for (std::size_t at = 0; at < input.size() && !is_over; at += chunk) {
      FrontStep step = machine->feed(input.substr(at, chunk));
      for (;;) {
        output += step.output;
        if (step.next == FrontStep::Next::login) {
          const LoginRequest& request = machine->login();
          if (!request.credential.is_usable()) std::abort();
          if (protocol == Protocol::imap && request.tag.empty()) std::abort();
          if (!options.is_tls && !options.is_plain_login_allowed) std::abort();
          output += "<" + request.credential.login + ">";
          step = machine->refused("no\r\n", false);
          continue;
        }
        if (step.next == FrontStep::Next::start_tls) is_over = true;
        if (step.next == FrontStep::Next::close) is_over = true;
        break;
      }
    }
  }
  // STARTTLS with bytes behind it depends on what had arrived: that is the injection it refuses.
  const bool is_starttls = seen[0].find("Begin TLS") != std::string::npos ||
                           seen[1].find("Begin TLS") != std::string::npos ||
                           seen[0].find("Nothing may follow") != std::string::npos;
  if (!is_starttls && seen[0] != seen[1]) std::abort();
  if (seen[0].size() > 100'000 + 200 * size) std::abort();
}

inline void drive_back(Protocol protocol, const unsigned char* data, std::size_t size) {
  if (size < 2) return;
  const std::size_t piece = 1U + data[0] % 64U;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  LoginRequest request;
  request.tag = "c7";
  request.hello_name = "client.test";
  request.credential.login = "alice@example.org";
  request.credential.password = secret::Secret("secret");
  BackOptions options;
  options.tls = (data[1] & 1U) != 0 ? TlsMode::starttls : TlsMode::none;
  options.is_announced = (data[1] & 2U) != 0;
  options.client.address = "203.0.113.9";
  const auto machine = make_back_machine(protocol, options, request);
  Boundary boundary(protocol);
  BackStep step;
  for (std::size_t at = 0; at < input.size() && step.next == BackStep::Next::read; at += piece) {
    boundary.feed(input.substr(at, piece));
    step = machine->feed(input.substr(at, piece));
    if (step.next == BackStep::Next::start_tls) step = machine->tls_started();
    if (step.next == BackStep::Next::start_tls) std::abort();
  }
  if ((step.next == BackStep::Next::accepted || step.next == BackStep::Next::refused) &&
      machine->reply().empty())
    std::abort();
  if (step.next == BackStep::Next::unavailable && machine->why().empty()) std::abort();
  if (machine->reply().size() > 400 * 1024) std::abort();
}

}  // namespace plan::proxy
