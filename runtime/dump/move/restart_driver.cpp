#include <fmt/format.h>

#include <charconv>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"
#include "runtime/net/stream.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

constexpr std::chrono::milliseconds kLookAgain{250};
constexpr std::chrono::seconds kConnectTime{5};
constexpr std::uint16_t kHttpsPort = 443;

/// Somewhere that the target has to answer.
struct Door {
  std::string host = {};
  std::uint16_t port = 0;
};

/// Host and port of the administration's URL.
Door door_of(std::string_view url) {
  constexpr std::string_view kScheme = "://";
  const std::size_t scheme = url.find(kScheme);
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + kScheme.size());
  url = url.substr(0, url.find('/'));
  Door door;
  door.port = kHttpsPort;
  const std::size_t bracket = url.find(']');
  const std::size_t colon = url.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view digits = url.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), door.port);
    url = url.substr(0, colon);
  }
  if (url.starts_with('[') && url.ends_with(']')) url = url.substr(1, url.size() - 2);
  door.host = url;
  return door;
}

/// Restarts the target of a plan that moves accounts. Notes: {before}: which run of the server was
/// to be ended, so that a step that was killed behind its restart does not do it again; {passed}:
/// of a step that does something on the way back only.
class RestartDriver final : public step::StepDriver {
 public:
  explicit RestartDriver(MoveWorld world) : world_(std::move(world)) {}

  Result<Observation> observe(step::StepContext& context) override {
    Server server;
    PLAN_TRY_VOID(open(context, server));
    PLAN_TRY(is_up, server.service->is_running());
    Observation seen;
    seen.prior = Value::map({{"running", is_up}});
    seen.fingerprint = Value::map({{"service", server.service->name()}});
    if (is_only_back(context)) {
      seen.standing =
          context.notes["passed"].bool_or(false) ? Standing::satisfied : Standing::differs;
      seen.remark = "restarts the target only when it is undone";
      return seen;
    }
    PLAN_TRY(is_done, is_restarted(context, server));
    seen.standing = is_done ? Standing::satisfied : Standing::differs;
    if (!is_done) {
      seen.differences = {{"running", is_up ? "since before" : "no", "anew"}};
      seen.remark = fmt::format("the target serves nobody while {} restarts, {} at most",
                                server.service->name(), longest(server.block));
    }
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    if (is_only_back(context)) {
      PLAN_TRY_VOID(remember(context, Value::map({{"passed", true}})));
      return Value::map();
    }
    PLAN_TRY_VOID(restart(context));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    if (is_only_back(context)) return {};
    Server server;
    PLAN_TRY_VOID(open(context, server));
    PLAN_TRY_VOID(server.service->check_ready());
    return check_doors(context);
  }

  /// What was written in front of a restart is undone behind it: only a restart that stands in
  /// front of the writes has something to do on the way back.
  Outcome undo(step::StepContext& context) override {
    return is_only_back(context) ? restart(context) : Outcome();
  }

 private:
  struct Server {
    ServerBlock block = {};
    std::unique_ptr<Service> service = {};
  };

  static bool is_only_back(const step::StepContext& context) {
    return context.arguments["only_back"].bool_or(false);
  }
  static std::string longest(const ServerBlock& block) {
    return show_duration_ms(
        static_cast<std::uint64_t>((block.stop_within + block.start_within).count()));
  }
  static Outcome remember(step::StepContext& context, const Value& notes) {
    return context.remember ? context.remember(notes) : Outcome();
  }

  /// `server.service` looks at `server.block`, so that is not moved afterwards.
  Outcome open(step::StepContext& context, Server& server) {
    const Value& target = context.arguments["target"];
    if (!target["service"].is_map()) {
      return Error(step::errors::argument_missing, "the plan does not say how the target restarts")
          .with_blame(Blame::plan)
          .with_argument("target.service");
    }
    server.block = read_service_words(target);
    PLAN_TRY(host, world_.hosts->open(server.block.host, file_time()));
    server.service = std::make_unique<Service>(*host, server.block);
    return {};
  }

  /// The run of the server that was to be ended is over, and another one has begun.
  static Result<bool> is_restarted(const step::StepContext& context, Server& server) {
    const std::string_view before = context.notes["before"].string_or("");
    if (before.empty()) return false;
    PLAN_TRY(is_up, server.service->is_running());
    if (!is_up) return false;
    PLAN_TRY(now, server.service->identity());
    return !now.empty() && now != before;
  }

  Outcome restart(step::StepContext& context) {
    Server server;
    PLAN_TRY_VOID(open(context, server));
    if (context.notes["before"].is_null()) {
      PLAN_TRY(now, server.service->identity());
      PLAN_TRY_VOID(remember(context, Value::map({{"before", now}})));
    }
    PLAN_TRY(is_done, is_restarted(context, server));
    if (!is_done) PLAN_TRY_VOID(server.service->stop(context));
    PLAN_TRY_VOID(server.service->start(context));
    const auto until = context.clock.now() + server.block.start_within;
    while (true) {
      Outcome open_doors = check_doors(context);
      if (open_doors) return open_doors;
      if (context.clock.now() >= until)
        return std::move(open_doors).error().with_effect(Effect::unknown);
      context.clock.sleep_for(kLookAgain);
    }
  }

  /// Somebody answers at each port: the listeners are there.
  static Outcome check_doors(step::StepContext& context) {
    const Value& target = context.arguments["target"];
    std::vector<Door> doors = {door_of(target["url"].string_or(""))};
    const std::string address(target["address"].string_or(""));
    for (const Value& port : context.arguments["ports"].items())
      doors.push_back({address, static_cast<std::uint16_t>(port.integer_or(0))});
    for (const Door& door : doors) {
      const auto stream =
          net::connect_tcp(door.host, door.port, net::Deadline::after(kConnectTime));
      if (stream) continue;
      return Error(errors::service_not_ready,
                   fmt::format("port {} of {} does not answer after the restart", door.port,
                               door.host))
          .with_blame(Blame::target)
          .with_detail(stream.error().to_line());
    }
    return {};
  }

  MoveWorld world_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_restart_driver(const MoveWorld& world) {
  return std::make_shared<RestartDriver>(world);
}

}  // namespace plan::dump
