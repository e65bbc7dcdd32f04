// The one place where drivers, clients and secrets meet. Nothing here decides anything: it hands
// over.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "runtime/archive/archive_driver.h"
#include "runtime/archive/drivers.h"
#include "runtime/archive/source_block.h"
#include "runtime/command/account_ends.h"
#include "runtime/command/errors.h"
#include "runtime/command/session.h"
#include "runtime/dump/move/drivers.h"
#include "runtime/dump/move/server_block.h"
#include "runtime/dump/move/survey.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/kill_point.h"
#include "runtime/net/host.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/proxy/control_client.h"
#include "runtime/proxy/proxy_drivers.h"
#include "runtime/rehearsal/scratch_drivers.h"
#include "runtime/secret/secret_store.h"
#include "runtime/server/probe/drivers.h"
#include "runtime/server/queue/queue_driver.h"
#include "runtime/server/source/dovecot_postfix.h"
#include "runtime/server/source/drivers.h"
#include "runtime/server/source/lease.h"
#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart/drivers.h"
#include "runtime/server/stalwart/lease.h"
#include "runtime/server/stalwart/survey.h"
#include "runtime/server/stalwart/target.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/old_source.h"
#include "runtime/step/errors.h"

namespace plan::command {
namespace {

constexpr std::array kBlocks = {"source", "target", "proxies", "hosts", "addresses"};

/// The engine's view of a lease that is kept at one place. Another place, another type: the one on
/// the target is a key there, the one on the source is as its kind keeps it.
template <class Lease>
class KeptLease final : public engine::LeaseHolder {
 public:
  /// `needed` lives as long as the lease.
  KeptLease(std::string name, std::unique_ptr<Lease> lease, std::shared_ptr<const void> needed)
      : name_(std::move(name)), needed_(std::move(needed)), lease_(std::move(lease)) {}
  Outcome acquire(std::string_view token) override { return lease_->acquire(token); }
  Outcome renew(std::string_view token) override { return lease_->renew(token); }
  Outcome release(std::string_view token) override { return lease_->release(token); }
  Outcome take_over(std::string_view token) override { return lease_->take_over(token); }
  Result<std::string> holder() override {
    PLAN_TRY(holder, lease_->look());
    return std::move(holder.token);
  }
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  std::string name_;
  std::shared_ptr<const void> needed_;
  std::unique_ptr<Lease> lease_;
};

template <class Lease>
std::unique_ptr<engine::LeaseHolder> kept_lease(std::string name, std::unique_ptr<Lease> lease,
                                                std::shared_ptr<const void> needed = {}) {
  return std::make_unique<KeptLease<Lease>>(std::move(name), std::move(lease), std::move(needed));
}

std::unique_ptr<engine::LeaseHolder> lease_at_target(
    std::shared_ptr<server::stalwart::Target> target, const std::string& holder) {
  return kept_lease("target", std::make_unique<server::stalwart::TargetLease>(
                                  std::move(target), holder, net::system_clock()));
}

/// A plan about a store stops the one server that could keep a lease: a lock file on its machine,
/// beside its configuration, does instead. Same holder words, same token in the journal; it never
/// runs out by itself, and `--take-over` is the only way past it.
std::unique_ptr<engine::LeaseHolder> lease_beside_store(net::Host& host, std::string file,
                                                        const std::string& holder) {
  return kept_lease("server's machine", std::make_unique<server::source::SourceLease>(
                                            host, std::move(file), holder, net::system_clock()));
}

/// One proxy's part of the lease: while accounts are held there, it takes commands of this run
/// only.
class ProxyLeaseHolder final : public engine::LeaseHolder {
 public:
  ProxyLeaseHolder(ir::Value block, std::string plan_directory, secret::SecretSource& secrets)
      : block_(std::move(block)), plan_directory_(std::move(plan_directory)), secrets_(secrets) {}
  Outcome acquire(std::string_view token) override {
    PLAN_TRY(control, open());
    return control->acquire(token, deadline());
  }
  // A proxy compares the token with every command; there is nothing to keep alive or to give back.
  Outcome renew(std::string_view /*token*/) override { return {}; }
  Outcome release(std::string_view /*token*/) override { return {}; }
  Outcome take_over(std::string_view token) override {
    PLAN_TRY(control, open());
    return control->take_over(token, deadline());
  }
  Result<std::string> holder() override {
    PLAN_TRY(control, open());
    PLAN_TRY(status, control->status(deadline()));
    return std::string(status["lease"].string_or({}));
  }
  [[nodiscard]] std::string name() const override {
    return fmt::format("proxy {}", block_["name"].string_or("?"));
  }

 private:
  static net::Deadline deadline() { return net::Deadline::after(std::chrono::seconds(10)); }
  Result<std::unique_ptr<proxy::ProxyControl>> open() {
    if (!block_["token"].is_secret()) {
      return Error(step::errors::argument_missing, fmt::format("{} has no token", name()))
          .with_blame(Blame::plan);
    }
    PLAN_TRY(token, secrets_.read(block_["token"].as_secret()));
    return proxy::ProxyControl::open(proxy::control_address(block_, plan_directory_), token,
                                     deadline());
  }

  ir::Value block_;
  std::string plan_directory_;
  secret::SecretSource& secrets_;
};

secret::SecretStoreOptions secret_options(const ProjectFolder& folder) {
  secret::SecretStoreOptions options;
  options.plan_directory = folder.directory;
  options.state_directory = folder.state_directory;
  return options;
}

}  // namespace

struct Session::State {
  State(const ProjectFolder& project, ir::Value blocks)
      : folder(project),
        connections(std::move(blocks)),
        secrets(secret_options(project)),
        clients(std::make_shared<net::jmap::ClientPool>()),
        targets(std::make_shared<server::stalwart::TargetPool>(clients, net::system_clock())),
        hosts(std::make_shared<net::HostPool>(project.directory)),
        machines(std::make_shared<server::source::SourcePool>(hosts, net::system_clock())),
        old_servers(std::make_shared<server::stalwart15::OldSources>(net::system_clock())),
        sources(std::make_shared<server::source::LiveSources>()) {
    using server::source::LiveSource;
    sources->add(std::string(server::source::kDovecotPostfix),
                 [this](const ir::Value& block, secret::SecretSource& from) {
                   return server::source::make_dovecot_postfix(block, machines, from);
                 });
    sources->add(std::string(server::source::kOldStalwart),
                 [this](const ir::Value& block,
                        secret::SecretSource& from) -> Result<std::shared_ptr<LiveSource>> {
                   PLAN_TRY(source, old_servers->open(block, from));
                   return std::shared_ptr<LiveSource>(source);
                 });
  }
  [[nodiscard]] Result<std::shared_ptr<server::source::LiveSource>> source() {
    return sources->open(connections["source"], secrets);
  }

  ProjectFolder folder;
  ir::Value connections;
  secret::SecretStore secrets;
  std::shared_ptr<net::jmap::ClientPool> clients;
  std::shared_ptr<server::stalwart::TargetPool> targets;
  std::shared_ptr<net::HostPool> hosts;
  std::shared_ptr<server::source::SourcePool> machines;
  std::shared_ptr<server::stalwart15::OldSources> old_servers;
  std::shared_ptr<server::source::LiveSources> sources;
  step::DriverTable drivers;
  std::vector<std::unique_ptr<engine::LeaseHolder>> leases;
  std::shared_ptr<rehearsal::ScratchWorld> books;
};

Session::Session(const ProjectFolder& folder, ir::Value connections, Purpose purpose)
    : state_(std::make_unique<State>(folder, std::move(connections))) {
  engine::add_local_drivers(state_->drivers);
  State* state = state_.get();
  server::stalwart::add_drivers(
      state_->drivers, state_->targets,
      [state](const std::string& account) -> Result<std::vector<std::string>> {
        PLAN_TRY(source, state->source());
        return source->aliases_of(account);
      });
  state_->secrets.add_provider("source",
                               [state](const std::string& account) -> Result<secret::Secret> {
                                 PLAN_TRY(source, state->source());
                                 return source->password_hash_of(account);
                               });
  server::source::add_drivers(state_->drivers, state_->machines,
                              server::probe::source_mailboxes(state_->sources));
  archive::add_archive_drivers(state_->drivers, archive_world(purpose));
  server::probe::add_drivers(state_->drivers, state_->sources, state_->targets);
  server::stalwart15::add_drivers(state_->drivers, state_->old_servers,
                                  server::probe::source_mailboxes(state_->sources));
  state_->drivers.add(ir::StepKind::queue_flush,
                      server::queue::make_queue_driver(
                          server::queue::open_queues(state_->sources, state_->targets)));
  proxy::add_proxy_drivers(state_->drivers);
  dump::add_move_drivers(state_->drivers,
                         {state_->hosts, [] { PLAN_KILL_POINT("dump.part-durable"); }});
  if (purpose == Purpose::rehearsal) {
    state_->books = std::make_shared<rehearsal::ScratchWorld>();
    rehearsal::add_scratch_drivers(state_->drivers, state_->books);
    state_->drivers.add(
        ir::StepKind::admin_keys,
        rehearsal::with_books(server::stalwart::make_keys_driver(state_->targets), state_->books));
  }
}

archive::ArchiveWorld Session::archive_world(Purpose purpose) {
  State* state = state_.get();
  archive::ArchiveWorld world;
  world.open_target =
      [state](step::StepContext& context) -> Result<std::shared_ptr<net::jmap::Client>> {
    return state->clients->open(context.arguments["target"], context.secrets);
  };
  world.account_id = [state](step::StepContext& context) -> Result<std::string> {
    PLAN_TRY(target, state->targets->open(context));
    PLAN_TRY(account, target->account(context.account));
    return std::string(account["id"].string_or(""));
  };
  world.open_as_user =
      [state](step::StepContext& context) -> Result<std::shared_ptr<net::jmap::Client>> {
    return state->targets->open_as(context.arguments["target"], context.secrets, context.account);
  };
  const server::queue::OpenQueues open_queues =
      server::queue::open_queues(state->sources, state->targets);
  world.are_queues_empty = [open_queues](step::StepContext& context) -> Result<bool> {
    PLAN_TRY(queues, open_queues(context));
    const std::vector<std::string> names = server::source::names_of_account(context.arguments);
    PLAN_TRY(at_source, queues.source->look(names));
    PLAN_TRY(at_target, queues.target->look(names));
    return at_source.messages == 0 && at_target.messages == 0;
  };
  world.is_at_target = [state](step::StepContext& context) -> Result<bool> {
    PLAN_TRY(target, state->targets->open(context));
    PLAN_TRY(generation, target->generation(context.account));
    return generation.is_at_target();
  };
  world.login_at_source = [state](step::StepContext& context) -> Result<std::string> {
    PLAN_TRY(source, state->sources->open(context));
    return source->login_of(archive::account_of(context));
  };
  world.begin_writing_at_source = [state](step::StepContext& context) -> Result<bool> {
    PLAN_TRY(source, state->sources->open(context));
    return source->begin_writing(archive::account_of(context));
  };
  world.end_writing_at_source = [state](step::StepContext& context) -> Outcome {
    PLAN_TRY(source, state->sources->open(context));
    return source->end_writing(archive::account_of(context));
  };
  world.settle_target_queue = [open_queues](step::StepContext& context) -> Outcome {
    PLAN_TRY(queues, open_queues(context));
    return server::queue::settle(
        *queues.target, server::source::names_of_account(context.arguments), context.clock);
  };
  world.kill_point = [](const char* place) {
    engine::pass_kill_point(std::string("carry.") + place);
  };
  world.push_kill_point = [](const char* place) {
    engine::pass_kill_point(std::string("push.") + place);
  };
  world.is_source_read_only = purpose == Purpose::rehearsal;
  return world;
}

Session::~Session() = default;

std::vector<std::string> Session::rehearsal_log() const {
  return state_->books ? state_->books->log() : std::vector<std::string>();
}

std::vector<std::string> Session::rehearsal_left_behind(bool is_before_cutover) const {
  return state_->books ? state_->books->left_behind(is_before_cutover) : std::vector<std::string>();
}

const step::DriverTable& Session::drivers() const { return state_->drivers; }
secret::SecretSource& Session::secrets() { return state_->secrets; }
const ir::Value& Session::connections() const { return state_->connections; }

bool is_about_store(const ir::Value& connections) {
  return connections["target"]["kind"] == ir::Value("stalwart-store");
}

Result<std::vector<engine::LeaseHolder*>> Session::leases(const std::string& holder) {
  if (is_about_store(state_->connections)) {
    PLAN_TRY(block, dump::read_server_block(state_->connections["target"]));
    PLAN_TRY(host, state_->hosts->open(block.host, net::Deadline::after(std::chrono::seconds(30))));
    state_->leases.clear();
    state_->leases.push_back(lease_beside_store(*host, block.lease_file, holder));
    return std::vector<engine::LeaseHolder*>{state_->leases.front().get()};
  }
  PLAN_TRY(target, state_->targets->open(state_->connections["target"], state_->secrets));
  state_->leases.clear();
  state_->leases.push_back(lease_at_target(target, holder));
  PLAN_TRY(source, state_->source());
  PLAN_TRY(at_source, source->lease(holder));
  state_->leases.push_back(kept_lease("source", std::move(at_source), source));
  for (const ir::Value& block : state_->connections["proxies"].items()) {
    state_->leases.push_back(
        std::make_unique<ProxyLeaseHolder>(block, state_->folder.directory, state_->secrets));
  }
  std::vector<engine::LeaseHolder*> holders;
  for (const auto& lease : state_->leases) holders.push_back(lease.get());
  return holders;
}

Result<engine::LeaseHolder*> Session::target_lease(const std::string& holder) {
  PLAN_TRY(target, state_->targets->open(state_->connections["target"], state_->secrets));
  state_->leases.clear();
  state_->leases.push_back(lease_at_target(target, holder));
  return state_->leases.front().get();
}

Result<archive::AccountSource> Session::account_at_source(const std::string& account) {
  PLAN_TRY(source, state_->source());
  PLAN_TRY(login, source->login_of(account));
  return archive::account_source(state_->connections["source"],
                                 {.address = account, .login = std::move(login)}, state_->secrets);
}

Result<Session::AtTarget> Session::account_at_target(const std::string& account) {
  const ir::Value& block = state_->connections["target"];
  PLAN_TRY(target, state_->targets->open(block, state_->secrets));
  PLAN_TRY(found, target->account(account));
  const std::string id(found["id"].string_or(""));
  if (id.empty())
    return Error(errors::nothing_of_that_name,
                 fmt::format("the target has no account `{}` yet", account))
        .with_blame(Blame::target);
  PLAN_TRY(generation, target->generation(account));
  PLAN_TRY(client, state_->clients->open(block, state_->secrets));
  return AtTarget{.account = archive::TargetAccount(std::move(client), id),
                  .is_authority = generation.is_at_target()};
}

Result<ir::Value> Session::survey_target() {
  server::stalwart::SurveyOptions options;
  options.schema_directory = state_->folder.schema_directory;
  return server::stalwart::survey_target(state_->connections["target"], *state_->clients,
                                         state_->secrets, options, net::system_clock());
}

Result<std::string> Session::target_schema() {
  PLAN_TRY(client, state_->clients->open(state_->connections["target"], state_->secrets));
  PLAN_TRY(schema, server::stalwart::fetch_schema(client->http(),
                                                  net::Deadline::after(std::chrono::seconds(30))));
  return std::move(schema.json);
}

Result<ir::Value> Session::survey_store(const std::vector<std::string>& folders) {
  return dump::survey_store(state_->connections["target"], folders, *state_->hosts,
                            state_->secrets);
}

Result<ir::Value> Session::survey_source() {
  PLAN_TRY(source, state_->source());
  return source->survey(
      [this](const secret::Secret& hash) { return state_->secrets.keyed_digest(hash); });
}

Result<ir::Value> Session::survey_source_names() {
  PLAN_TRY(source, state_->source());
  return source->survey_names();
}

Result<ir::Value> Session::read_objects(const std::string& type, bool is_singleton) {
  PLAN_TRY(target, state_->targets->open(state_->connections["target"], state_->secrets));
  const std::string name = type.starts_with("x:") ? type.substr(2) : type;
  if (is_singleton) return target->registry().singleton(name);
  PLAN_TRY(objects, target->registry().all(name));
  return ir::Value(std::move(objects));
}

ir::Value connections_of(const ir::StepGraph& graph) {
  ir::Value connections = ir::Value::map();
  for (const ir::StepShape& shape : graph.shapes()) {
    for (const char* key : kBlocks) {
      if (!shape.arguments[key].is_null() && connections[key].is_null())
        connections.set(key, shape.arguments[key]);
    }
  }
  return connections;
}

std::string holder_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const char* user = std::getenv("USER");
  return fmt::format("{}@{}, process {}", user == nullptr ? "root" : user, host.data(), getpid());
}

}  // namespace plan::command
