#include "runtime/proxy/public_name.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>

#include "runtime/net/host.h"
#include "runtime/net/stream.h"
#include "runtime/proxy/errors.h"

namespace plan::proxy {
namespace {

constexpr std::chrono::seconds kLookTime{5};
constexpr std::chrono::seconds kCommandTime{120};
constexpr std::size_t kGreetingBytesMax = 4096;
constexpr std::size_t kAddressesMax = 16;

}  // namespace

std::vector<std::string> addresses_of(const std::string& name) {
  std::vector<std::string> addresses;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* item = found; item != nullptr && addresses.size() < kAddressesMax;
       item = item->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(item->ai_addr, item->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  }
  freeaddrinfo(found);
  return addresses;
}

Result<std::string> greeting_at(const std::string& address, const Door& door) {
  const net::Deadline deadline = net::Deadline::after(kLookTime);
  PLAN_TRY(stream, net::connect_tcp(address, door.port, deadline));
  if (door.is_tls) {
    net::TlsClientOptions options;
    options.is_unverified_allowed = true;  // nothing secret crosses: only the greeting is read
    PLAN_TRY_VOID(stream->start_tls(options, deadline));
  }
  net::LineReader reader(*stream, kGreetingBytesMax);
  return reader.line(deadline);
}

Outcome run_command_of(step::StepContext& context, const char* which) {
  std::vector<std::string> command;
  for (const ir::Value& word : context.arguments[which].items())
    command.emplace_back(word.string_or(""));
  if (command.empty()) return {};  // the operator does it
  const std::unique_ptr<net::Host> host = net::local_host();
  net::CommandOptions options;
  options.directory = step::beside_plan(context, {});
  PLAN_TRY(result, host->run(command, net::Deadline::after(kCommandTime), options)
                       .while_doing("moving the public address"));
  if (result.exit_code == 0) return {};
  return Error(errors::address_not_moved,
               fmt::format("the command `{}` ended with {}", command.front(), result.exit_code))
      .with_detail(result.errors.empty() ? result.output : result.errors)
      .with_effect(Effect::unknown);
}

}  // namespace plan::proxy
