#include "runtime/rehearsal/embedded_target.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "compiler/ir/digest.h"
#include "embedded/rehearsal_schema.h"
#include "runtime/net/connection_server.h"
#include "runtime/net/http_server.h"
#include "runtime/rehearsal/delivery.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/errors.h"
#include "runtime/rehearsal/http_front.h"
#include "runtime/rehearsal/imap_server.h"
#include "runtime/rehearsal/pop3_server.h"
#include "runtime/rehearsal/proxy_preamble.h"
#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/schema_facts.h"
#include "runtime/rehearsal/sieve_server.h"
#include "runtime/rehearsal/smtp_server.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

std::uint16_t well_known_port(Service service) {
  switch (service) {
    case Service::http:
      return 8080;
    case Service::https:
      return 443;
    case Service::smtp:
      return 25;
    case Service::submission:
      return 587;
    case Service::submissions:
      return 465;
    case Service::imap:
      return 143;
    case Service::imaps:
      return 993;
    case Service::sieve:
      return 4190;
    case Service::pop3:
      return 110;
    case Service::pop3s:
      return 995;
    case Service::lmtp:
      return 24;
    case Service::smtp_behind_proxy:
      return 2525;
    case Service::imap_behind_proxy:
      return 1143;
  }
  return 0;
}

const char* to_string(Service service) {
  switch (service) {
    case Service::http:
      return "http";
    case Service::https:
      return "https";
    case Service::smtp:
      return "smtp";
    case Service::submission:
      return "submission";
    case Service::submissions:
      return "submissions";
    case Service::imap:
      return "imap";
    case Service::imaps:
      return "imaps";
    case Service::sieve:
      return "sieve";
    case Service::pop3:
      return "pop3";
    case Service::pop3s:
      return "pop3s";
    case Service::lmtp:
      return "lmtp";
    case Service::smtp_behind_proxy:
      return "smtp-behind-proxy";
    case Service::imap_behind_proxy:
      return "imap-behind-proxy";
  }
  return "";
}

struct EmbeddedTarget::State {
  std::unique_ptr<World> world;
  std::unique_ptr<net::HttpServer> http;
  std::unique_ptr<net::HttpServer> https;
  std::map<Service, std::unique_ptr<net::ConnectionServer>> lines;
  std::unique_ptr<DeliveryThread> delivery;
  std::string http_address;
  bool is_stopped = false;
};

namespace {

std::string schema_text(const EmbeddedTargetOptions& options) {
  if (!options.schema_json.empty()) return options.schema_json;
  for (const EmbeddedFile& file : embedded::rehearsal_schema())
    if (file.name.ends_with(".json")) return std::string(file.text);
  return {};
}

// The state of an earlier run, or a first start.
void load_state(World& world) {
  world.registry.load();
  world.mail.load();
  world.queue->load();
  for (const auto& [id, message] : world.queue->all()) world.mail.refer(message.blob);
  if (!world.options.is_recovery_mode) seed_defaults(world);
  // A start reads everything anew, as a reload does, but nothing can refuse it.
  static_cast<void>(reload_settings(world, false));
  reload_lookups(world);
  reload_blocked(world);
  world.commit();
}

bool is_proxied(const World& world, Service service, const net::SocketStream& stream) {
  if (service != Service::smtp_behind_proxy && service != Service::imap_behind_proxy) return false;
  const std::string peer = stream.peer_address();
  const auto& networks = world.options.proxy_networks;
  return std::any_of(networks.begin(), networks.end(), [&peer](const std::string& network) {
    return network_contains(network, peer);
  });
}

}  // namespace

EmbeddedTarget::EmbeddedTarget(std::unique_ptr<State> state) : state_(std::move(state)) {}

EmbeddedTarget::~EmbeddedTarget() { stop(); }

Result<std::unique_ptr<EmbeddedTarget>> EmbeddedTarget::start(EmbeddedTargetOptions options) {
  std::error_code failed;
  std::filesystem::create_directories(options.data_directory, failed);
  if (failed) {
    return Error(errors::bad_option, "the data directory " + options.data_directory +
                                         " cannot be made: " + failed.message());
  }
  PLAN_TRY(facts, SchemaFacts::parse(schema_text(options)));
  PLAN_TRY(storage, Storage::open(options.data_directory));
  auto state = std::make_unique<State>();
  state->world = std::make_unique<World>(std::move(options), std::move(storage), std::move(facts));
  World& world = *state->world;
  {
    const std::lock_guard lock(world.mutex);
    load_state(world);
  }
  const auto serve_http = [&world](const net::HttpServerRequest& request) {
    return answer_http(world, request);
  };
  for (const bool is_secure : {false, true}) {
    const auto& at = is_secure ? world.options.https : world.options.http;
    if (!at) continue;
    if (is_secure && !world.options.tls)
      return Error(errors::bad_option, "https needs a certificate");
    net::HttpServerOptions http;
    http.address = at->address;
    http.port = at->port;
    http.body_bytes_max = body_limit;
    http.is_turned_away = [&world](const std::string& peer) {
      const std::lock_guard lock(world.mutex);
      return is_blocked(world, peer);
    };
    if (is_secure) http.tls = world.options.tls;
    PLAN_TRY(server, net::HttpServer::start(std::move(http), serve_http));
    state->http_address = at->address;
    (is_secure ? state->https : state->http) = std::move(server);
  }
  using Serve =
      void (*)(World&, Service, std::unique_ptr<net::SocketStream>, const net::StopSignal&);
  struct Line {
    Service service;
    const std::optional<ListenAt>& at;
    Serve serve;
  };
  const Line lines[] = {{Service::smtp, world.options.smtp, serve_smtp},
                        {Service::submission, world.options.submission, serve_smtp},
                        {Service::submissions, world.options.submissions, serve_smtp},
                        {Service::imap, world.options.imap, serve_imap},
                        {Service::imaps, world.options.imaps, serve_imap},
                        {Service::sieve, world.options.sieve, serve_sieve},
                        {Service::pop3, world.options.pop3, serve_pop3},
                        {Service::pop3s, world.options.pop3s, serve_pop3},
                        {Service::lmtp, world.options.lmtp, serve_smtp},
                        {Service::smtp_behind_proxy, world.options.smtp_behind_proxy, serve_smtp},
                        {Service::imap_behind_proxy, world.options.imap_behind_proxy, serve_imap}};
  for (const Line& line : lines) {
    if (!line.at) continue;
    net::ConnectionServerOptions connection;
    connection.address = line.at->address;
    connection.port = line.at->port;
    const Serve serve = line.serve;
    const Service service = line.service;
    PLAN_TRY(server,
             net::ConnectionServer::start(
                 connection, [&world, serve, service](std::unique_ptr<net::SocketStream> stream,
                                                      const net::StopSignal& signal) {
                   if (is_proxied(world, service, *stream))
                     stream = behind_proxy(std::move(stream), signal);
                   if (stream) serve(world, service, std::move(stream), signal);
                 }));
    state->lines[service] = std::move(server);
  }
  if (!world.options.is_recovery_mode) state->delivery = std::make_unique<DeliveryThread>(world);
  return std::unique_ptr<EmbeddedTarget>(new EmbeddedTarget(std::move(state)));
}

std::uint16_t EmbeddedTarget::port(Service service) const {
  if (service == Service::http) return state_->http ? state_->http->port() : std::uint16_t{0};
  if (service == Service::https) return state_->https ? state_->https->port() : std::uint16_t{0};
  const auto found = state_->lines.find(service);
  return found == state_->lines.end() ? std::uint16_t{0} : found->second->port();
}

std::string EmbeddedTarget::url() const {
  const bool is_plain = state_->http != nullptr;
  return std::string(is_plain ? "http://" : "https://") + state_->http_address + ":" +
         std::to_string(port(is_plain ? Service::http : Service::https));
}

std::string EmbeddedTarget::certificate_sha256() const {
  const auto& tls = state_->world->options.tls;
  if (!tls) return {};
  std::FILE* file = std::fopen(tls->certificate_file.c_str(), "r");
  if (file == nullptr) return {};
  X509* certificate = PEM_read_X509(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  unsigned char* der = nullptr;
  const int size = certificate == nullptr ? 0 : i2d_X509(certificate, &der);
  const std::string out =
      size > 0
          ? ir::sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}).hex()
          : std::string{};
  OPENSSL_free(der);
  X509_free(certificate);
  return out;
}

void EmbeddedTarget::stop() {
  if (state_->is_stopped) return;
  state_->is_stopped = true;
  for (auto& [service, server] : state_->lines) server->stop();
  if (state_->http) state_->http->stop();
  if (state_->https) state_->https->stop();
  state_->delivery.reset();
  state_->lines.clear();
  state_->http.reset();
  state_->https.reset();
  const std::lock_guard lock(state_->world->mutex);
  state_->world->commit();
}

}  // namespace plan::rehearsal
