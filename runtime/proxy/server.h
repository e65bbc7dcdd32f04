#pragma once
// Private to runtime/proxy: shows Asio.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/asio.h"
#include "runtime/net/clock.h"
#include "runtime/proxy/account_map.h"
#include "runtime/proxy/back_machine.h"
#include "runtime/proxy/boundary.h"
#include "runtime/proxy/config.h"
#include "runtime/proxy/front_machine.h"
#include "runtime/proxy/leg.h"
#include "runtime/proxy/proxy.h"
#include "runtime/step/step_driver.h"

namespace plan::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

struct ListenerState {
  explicit ListenerState(net::asio::io_context& io) : descriptor(io) {}
  ListenerConfig config = {};
  SSL_CTX* context = nullptr;  ///< owned by the server; null without a certificate
  std::uint16_t port = 0;
  net::asio::posix::stream_descriptor descriptor;
  bool is_control = false;  ///< HTTPS or Unix socket of the control protocol
  bool is_unix = false;
};

struct DestinationState {
  DestinationConfig config = {};
  SslContext context = {};
};

class Server;

/// One client. Kept alive by its coroutines (shared_ptr); the server has a plain pointer in its
/// list, which the destructor takes out. Everything on the proxy's one thread.
struct Connection : std::enable_shared_from_this<Connection> {
  enum class Phase : std::uint8_t { before_login, parked, attempt, relay };

  Connection(Server& owner, const ListenerState& from, net::asio::io_context& io);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  void close() {
    client.close();
    backend.close();
  }

  Server* server;
  const ListenerState* listener;
  Leg client;
  Leg backend;
  std::string client_address = {};
  std::string local_address = {};
  std::string name = {};  ///< routed login name while an attempt or session is known by it
  const DestinationState* destination = nullptr;
  FrontMachine* front = nullptr;  ///< before login, for the words of a timeout
  net::asio::steady_timer* park =
      nullptr;  ///< while parked: cancelling it makes the login look at the map again
  /// Set beside that: a timer that has just expired takes no cancellation any more.
  bool has_news = false;
  std::uint64_t id = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::size_t index = 0;     ///< in the server's list
  SteadyTime deadline = {};  ///< of the client before login
  SteadyTime backend_deadline = SteadyTime::max();
  SteadyTime last_up = {};
  SteadyTime last_down = {};
  Boundary boundary;
  std::uint16_t client_port = 0;
  std::uint16_t local_port = 0;
  Phase phase = Phase::before_login;
  bool is_control =
      false;  ///< of the control protocol; known without the listener, which may be gone at the end
  bool is_cancelled = false;     ///< a hold came during the attempt
  bool is_kicked = false;        ///< a goodbye is on its way
  bool is_answer_owed = false;   ///< the client spoke last
  bool is_down_blocked = false;  ///< part of the backend's bytes waits for the client
  bool is_up_done = false;
  bool is_down_done = false;
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// The proxy at work.
class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> make(const ProxyConfig& config,
                                                            net::Clock& clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] Outcome listen();
  void run(const step::StopSignal& stop, const ProxyHooks& hooks);

  // --- for Connection ---
  void add(Connection& connection);
  void remove(Connection& connection);

  // --- for the control protocol ---
  struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t refused_connections = 0;
    std::uint64_t logins = 0;
    std::uint64_t refused_logins = 0;
    std::uint64_t unavailable = 0;
    std::uint64_t parked = 0;
    std::uint64_t kicked = 0;
  };
  [[nodiscard]] const ProxyConfig& config() const { return config_; }
  [[nodiscard]] AccountMap& accounts() { return *map_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const std::vector<Connection*>& connections() const { return connections_; }
  [[nodiscard]] const std::map<std::string, DestinationState>& destinations() const {
    return destinations_;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<ListenerState>>& listeners() const {
    return listeners_;
  }
  [[nodiscard]] net::asio::io_context& io() { return io_; }
  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  [[nodiscard]] std::string routed_name(const std::string& login) const;
  /// Sessions and attempts of these names: attempts are called back at once, sessions said goodbye
  /// to. How many.
  [[nodiscard]] std::size_t start_closing(const std::vector<std::string>& names);
  /// Sessions of these names that are still there.
  [[nodiscard]] std::size_t session_count(const std::vector<std::string>& names) const;
  [[nodiscard]] std::size_t parked_count(const std::vector<std::string>& names) const;
  /// Makes the parked logins of these names look at the map again.
  void wake(const std::vector<std::string>& names);
  void start_draining();
  /// Opens a destination and logs in there as a client would, past every hold; for `probe`.
  struct Verdict {
    BackStep::Next outcome = BackStep::Next::unavailable;
    std::string reply = {};
    std::string greeting = {};
    std::string why = {};
    std::string certificate_sha256 = {};
  };
  [[nodiscard]] awaitable<void> probe(const DestinationState& destination, Protocol protocol,
                                      LoginRequest& request, Verdict& verdict);

 private:
  Server(const ProxyConfig& config, net::Clock& clock) : config_(config), clock_(&clock) {}

  [[nodiscard]] Result<SSL_CTX*> context_of(const std::string& certificate, const std::string& key);
  [[nodiscard]] Outcome listen_tcp(ListenerConfig config, bool is_control);
  [[nodiscard]] Outcome listen_unix();

  // Coroutines: named functions with simple arguments (runtime/net/asio.h).
  [[nodiscard]] awaitable<void> accept_all(ListenerState& listener);
  [[nodiscard]] awaitable<void> serve(ConnectionPtr connection);
  [[nodiscard]] awaitable<bool> talk_before_login(Connection& connection, FrontMachine& front);
  [[nodiscard]] awaitable<FrontStep> log_in(Connection& connection, FrontMachine& front);
  [[nodiscard]] awaitable<bool> wait_parked(Connection& connection, FrontMachine& front,
                                            std::chrono::milliseconds left);
  [[nodiscard]] awaitable<bool> open_backend(Leg& leg, const DestinationState& destination,
                                             Protocol protocol, const Connection* client,
                                             std::string& why);
  [[nodiscard]] awaitable<bool> start_backend_tls(Leg& leg, const DestinationState& destination,
                                                  std::string& why);
  [[nodiscard]] awaitable<BackStep::Next> converse(Leg& leg, const DestinationState& destination,
                                                   BackMachine& back, std::string& why,
                                                   Connection* client);
  [[nodiscard]] awaitable<bool> open_mail_relay(Connection& connection);
  [[nodiscard]] awaitable<void> pump(ConnectionPtr connection, bool is_up);
  [[nodiscard]] awaitable<void> say_goodbye(ConnectionPtr connection);
  [[nodiscard]] awaitable<void> tick(const step::StopSignal& stop);
  [[nodiscard]] awaitable<void> close_gently(Leg& leg);

  void start_relay(const ConnectionPtr& connection);
  void name_connection(Connection& connection, const std::string& name);
  void unname_connection(Connection& connection);
  void sweep(SteadyTime now, bool is_idle_checked);
  [[nodiscard]] ConnectionPtr pointer_to(Connection& connection) const;

  ProxyConfig config_;
  net::Clock* clock_;
  std::unique_ptr<AccountMap> map_;
  std::string token_;
  std::map<std::pair<std::string, std::string>, SslContext> contexts_;
  std::map<std::string, DestinationState> destinations_;
  // Outlives io_: coroutines that are destroyed with it take their connections out of these.
  std::vector<Connection*> connections_;
  std::unordered_multimap<std::string, Connection*> by_name_;
  std::unordered_map<std::string, std::size_t> per_address_;
  Counters counters_;
  std::uint64_t next_id_ = 1;
  std::vector<char> scratch_;
  bool is_draining_ = false;
  net::asio::io_context io_{1};
  std::vector<std::unique_ptr<ListenerState>> listeners_;
  int control_connections_ = 0;

  friend class ControlServer;
};

/// The control protocol (docs/formats/proxy.md) on an accepted connection: lines on the Unix
/// socket, POST over HTTPS.
[[nodiscard]] awaitable<void> serve_control(Server& server, ConnectionPtr connection, bool is_http);

}  // namespace plan::proxy
