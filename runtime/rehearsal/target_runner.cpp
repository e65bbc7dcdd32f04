// The process around an embedded target: arguments in, one line out when it listens, until a
// signal.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/rehearsal/errors.h"

namespace plan::rehearsal {
namespace {

constexpr int kExitError = 1;

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::uint16_t> port_of(const std::string& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || number > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

bool set_login(EmbeddedTargetOptions& options, std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  options.admin_user = std::string(trim(text.substr(0, colon)));
  options.admin_password = std::string(trim(text.substr(colon + 1)));
  return true;
}

struct Listening {
  Service service;
  std::optional<ListenAt> EmbeddedTargetOptions::*at;
};
constexpr std::array<Listening, 13> kServices = {{
    {Service::http, &EmbeddedTargetOptions::http},
    {Service::https, &EmbeddedTargetOptions::https},
    {Service::smtp, &EmbeddedTargetOptions::smtp},
    {Service::submission, &EmbeddedTargetOptions::submission},
    {Service::submissions, &EmbeddedTargetOptions::submissions},
    {Service::imap, &EmbeddedTargetOptions::imap},
    {Service::imaps, &EmbeddedTargetOptions::imaps},
    {Service::sieve, &EmbeddedTargetOptions::sieve},
    {Service::pop3, &EmbeddedTargetOptions::pop3},
    {Service::pop3s, &EmbeddedTargetOptions::pop3s},
    {Service::lmtp, &EmbeddedTargetOptions::lmtp},
    {Service::smtp_behind_proxy, &EmbeddedTargetOptions::smtp_behind_proxy},
    {Service::imap_behind_proxy, &EmbeddedTargetOptions::imap_behind_proxy},
}};

// Nothing: fine. Else what is wrong.
std::optional<std::string> read_arguments(const std::vector<std::string>& arguments,
                                          EmbeddedTargetOptions& options) {
  std::map<std::string, std::uint16_t> ports;
  std::string address = "127.0.0.1";
  net::TlsServerOptions tls;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--recovery") {
      options.is_recovery_mode = true;
      continue;
    }
    if (name == "--bootstrap") {
      options.is_recovery_mode = true;
      options.is_bootstrap_mode = true;
      continue;
    }
    if (name == "--dns") {
      options.has_dns = true;
      continue;
    }
    if (i + 1 >= arguments.size()) return name + " needs a value";
    const std::string& value = arguments[++i];
    if (name == "--data")
      options.data_directory = value;
    else if (name == "--address")
      address = value;
    else if (name == "--certificate")
      tls.certificate_file = value;
    else if (name == "--key")
      tls.key_file = value;
    else if (name == "--hostname")
      options.hostname = value;
    else if (name == "--outside-mx")
      options.outside_mx = value;
    else if (name == "--proxy-network")
      options.proxy_networks.push_back(value);
    else if (name == "--public-url")
      options.public_url = value;
    else if (name == "--schedule-speed")
      options.schedule_speed = std::atof(value.c_str());
    else if (name == "--admin" || name == "--admin-file") {
      const auto text = name == "--admin" ? std::optional(value) : read_file(value);
      if (!text || !set_login(options, *text)) return name + " is USER:PASSWORD";
    } else if (name == "--schema") {
      const auto text = read_file(value);
      if (!text) return "the schema cannot be read: " + value;
      options.schema_json = *text;
    } else {
      const auto port = port_of(value);
      const bool is_service =
          std::any_of(kServices.begin(), kServices.end(), [&name](const Listening& each) {
            return name == "--" + std::string(to_string(each.service));
          });
      if (!is_service) return "no such option: " + name;
      if (!port) return name + " needs a port";
      ports[name] = *port;
    }
  }
  if (options.data_directory.empty()) return "--data is required";
  if (options.admin_password.empty()) return "--admin or --admin-file is required";
  if (!tls.certificate_file.empty()) options.tls = tls;
  for (const Listening& each : kServices) {
    const auto found = ports.find("--" + std::string(to_string(each.service)));
    if (found != ports.end()) options.*each.at = ListenAt{address, found->second};
  }
  return std::nullopt;
}

}  // namespace

int run_embedded_target(const std::vector<std::string>& arguments) {
  EmbeddedTargetOptions options;
  if (const auto complaint = read_arguments(arguments, options)) {
    std::cerr << "plan target run: " << *complaint << "\n";
    return kExitError;
  }
  // Blocked before any thread starts, so that all of them inherit it and only signalfd sees the
  // signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto target = EmbeddedTarget::start(std::move(options));
  if (!target) {
    std::cerr << "plan target run: " << target.error().to_line() << "\n";
    return kExitError;
  }
  ir::Value ports = ir::Value::map();
  for (const Listening& each : kServices)
    if ((*target)->port(each.service) != 0)
      ports.set(to_string(each.service), static_cast<int>((*target)->port(each.service)));
  std::cout << ir::write_json(
                   ir::Value::map({{"ready", true},
                                   {"rehearsal", true},
                                   {"url", (*target)->url()},
                                   {"ports", std::move(ports)},
                                   {"certificate_sha256", (*target)->certificate_sha256()}}))
            << std::endl;
  const int descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
  pollfd waiting{descriptor, POLLIN, 0};
  while (poll(&waiting, 1, -1) < 0) {
  }
  close(descriptor);
  (*target)->stop();
  return 0;
}

}  // namespace plan::rehearsal
