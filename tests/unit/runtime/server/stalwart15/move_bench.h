#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/old_source.h"
#include "tests/unit/runtime/server/probe/fake_mailbox.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"
#include "tests/unit/runtime/server/stalwart15/old_server.h"

namespace plan::server::stalwart15 {

/// Time that passes only when somebody sleeps; the old server works meanwhile.
class WorkingClock final : public net::Clock {
 public:
  Monotonic now() override { return now_; }
  std::int64_t wall_ms() override { return 1'795'000'000'000; }
  void sleep_for(std::chrono::milliseconds duration) override {
    now_ += duration;
    ++sleeps;
    if (at_sleep) at_sleep();
  }
  std::function<void()> at_sleep = {};
  int sleeps = 0;

 private:
  Monotonic now_ = Monotonic{} + std::chrono::hours(1);
};

/// An old Stalwart that std/stalwart-source has prepared, with its port 25, two accounts, and one
/// step after the other.
class MoveBench : public ::testing::Test {
 protected:
  static constexpr const char* kAlice = "alice@old.test";
  static constexpr const char* kAlias = "alice.alias@old.test";
  static constexpr const char* kBob = "bob@old.test";

  MoveBench()
      : http_([this](const test::FakeRequest& request) { return server.answer(request); }),
        smtp_(test::old_smtp(
            [this](const std::string& sender, const std::vector<std::string>& recipients,
                   const std::string& text) { return server.take(sender, recipients, text); })) {
    using ir::Value;
    server.principals = {
        Value::map({{"id", 1}, {"type", "domain"}, {"name", "old.test"}}),
        Value::map({{"id", 2},
                    {"type", "individual"},
                    {"name", kAlice},
                    {"emails", Value::list({kAlice, kAlias})},
                    {"secrets", Value::list({"$6$salt$hash"})},
                    {"roles", Value::list({"user"})},
                    {"memberOf", Value::list({"team@old.test"})},
                    {"disabledPermissions", Value::list({"pop3-dele", "email-receive"})}}),
        // Logs in by another name than its address.
        Value::map({{"id", 33},
                    {"type", "individual"},
                    {"name", "bob"},
                    {"emails", Value::list({kBob})},
                    {"secrets", Value::list({"clear text"})},
                    {"roles", Value::list({"user"})}})};
    for (const auto& [key, value] : std::map<std::string, std::string>{
             {"queue.route.plan-hold.type", "relay"},
             {"queue.route.plan-hold.address", "new.target.test"},
             {"queue.route.plan-hold.port", "9"},
             {"queue.route.plan-new.type", "relay"},
             {"queue.route.plan-new.address", "new.target.test"},
             {"queue.route.plan-new.port", "25"},
             {"queue.strategy.route.0.if", "key_exists('plan-moved', rcpt)"},
             {"queue.strategy.route.0.then", "'plan-new'"},
             {"queue.strategy.route.1.if", "key_exists('plan-held', rcpt)"},
             {"queue.strategy.route.1.then", "'plan-hold'"},
             {"queue.strategy.route.2.if", "is_local_domain('*', rcpt_domain)"},
             {"queue.strategy.route.2.then", "'local'"},
             {"queue.strategy.route.3.else", "'mx'"},
             {"lookup.plan-held.-", "1"},
             {"lookup.plan-moved.-", "1"}})
      server.database[key] = value;
    server.open_ports = {"new.target.test:25"};
    call("GET", "/api/reload");
    secrets.texts = {{"env:OLD", "admin-secret"}, {"env:MASTER", "master-secret"}};
    block = Value::map(
        {{"kind", "stalwart-0.15"},
         {"address", "127.0.0.1"},
         {"smtp", Value::map({{"port", std::int64_t{smtp_.port()}}})},
         {"master_user",
          Value::map({{"name", "master"}, {"password", ir::SecretRef{"env", "MASTER"}}})},
         {"stalwart",
          Value::map({{"url", http_.url()},
                      {"login", Value::map({{"user", "plan"},
                                            {"password", ir::SecretRef{"env", "OLD"}}})}})}});
    sources = std::make_shared<OldSources>(clock);
    add_drivers(drivers, sources, mailbox.open());
  }

  struct Step {
    ir::StepKind kind = {};
    ir::Value arguments = {};
    std::optional<ir::Value> prior = {};
    ir::Value notes = {};
    std::uint32_t attempt = 0;
  };

  [[nodiscard]] Step step(ir::StepKind kind, const char* list = nullptr,
                          const char* account = kAlice) const {
    ir::Value arguments = ir::Value::map({{"source", block}, {"account", account}});
    if (account == std::string(kAlice)) {
      arguments.set("addresses", ir::Value::list({kAlice, kAlias}));
    } else {
      arguments.set("addresses", ir::Value::list({account}));
    }
    if (list != nullptr) arguments.set("list", list);
    return Step{.kind = kind, .arguments = std::move(arguments)};
  }
  [[nodiscard]] Step hold() const { return step(ir::StepKind::source_hold, "plan-held"); }
  [[nodiscard]] Step forward() const { return step(ir::StepKind::source_forward, "plan-moved"); }
  [[nodiscard]] Step freeze(const char* account = kAlice) const {
    return step(ir::StepKind::source_freeze, nullptr, account);
  }

  template <class Function>
  auto with_context(Step& one, Function function) {
    step::StepContext context{.id = "test",
                              .kind = one.kind,
                              .arguments = one.arguments,
                              .account = kAlice,
                              .secrets = secrets,
                              .clock = clock,
                              .stop = stop,
                              .attempt = one.attempt,
                              .prior = one.prior.value_or(ir::Value()),
                              .notes = one.notes,
                              .remember = [&one](const ir::Value& notes) -> Outcome {
                                one.notes = notes;
                                return {};
                              },
                              .progress = [](const step::Progress&) {},
                              .say = [this](std::string text) { said.push_back(std::move(text)); }};
    return function(*drivers.find(one.kind), context);
  }
  Result<ir::Observation> observe(Step& one) {
    return with_context(one, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.observe(context);
    });
  }
  Outcome undo(Step& one) {
    return with_context(one, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.undo(context);
    });
  }
  /// As the engine does: observe, keep the first prior state, apply, verify.
  Outcome run(Step& one) {
    PLAN_TRY(seen, observe(one));
    if (!one.prior) one.prior = seen.prior;
    auto applied = with_context(one, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.apply(context);
    });
    ++one.attempt;
    if (!applied) return std::move(applied).error();
    return with_context(one, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.verify(context);
    });
  }
  ir::Standing standing(Step& one) {
    const auto seen = observe(one);
    EXPECT_TRUE(seen) << (seen ? "" : seen.error().to_line());
    return seen ? seen->standing : ir::Standing::unknowable;
  }

  /// Every call of the interface loses its answer once, and the step is done again, as the engine
  /// does it after a crash at that point; then the same with the way back. `done` and `back` look
  /// at what each came to; they get the number of the call that was cut.
  void cut_at_every_call(const std::function<Step()>& make, const std::function<void(int)>& done,
                         const std::function<void(int)>& back) {
    for (const bool is_back_cut : {false, true}) {
      std::size_t cuts = 0;
      for (int cut = 1;; ++cut) {
        Step one = make();
        const auto repeated = [&](bool is_cut, Outcome (MoveBench::*act)(Step&)) {
          if (is_cut) server.locked([&](test::OldServer& self) { self.calls_until_cut = cut; });
          Outcome first = (this->*act)(one);
          const bool was_cut = server.calls_until_cut == 0;
          server.locked([](test::OldServer& self) { self.calls_until_cut = -1; });
          if (!first) {
            ++cuts;
            first = (this->*act)(one);
          }
          EXPECT_TRUE(first) << "cut at " << cut << ": " << (first ? "" : first.error().to_line());
          return was_cut;
        };
        const bool was_cut = repeated(!is_back_cut, &MoveBench::run);
        done(cut);
        const bool was_back_cut = repeated(is_back_cut, &MoveBench::undo);
        back(cut);
        if (HasFailure() || (!was_cut && !was_back_cut)) break;
      }
      EXPECT_GE(cuts, 1U) << "a change is not repeated behind the engine's back";
    }
  }

  /// Somebody's call of the management interface.
  ir::Value call(const std::string& method, const std::string& target,
                 const std::string& body = {}) {
    int status = 0;
    test::FakeRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    return server.locked([&](test::OldServer& self) { return self.reply(request, status); });
  }
  /// Mail from outside.
  void send(const std::string& to, const std::string& text) {
    static_cast<void>(server.take("out@elsewhere.test", {to}, text));
  }
  /// What reached an address by a route.
  std::vector<std::string> got(const std::string& route, const std::string& address) {
    return server.locked(
        [&](test::OldServer& self) { return self.mail.delivered[route + ":" + address]; });
  }
  void minutes_pass(int minutes) {
    server.locked([&](test::OldServer& self) {
      self.mail.now += std::int64_t{60} * minutes;
      self.mail.run();
    });
  }
  [[nodiscard]] std::shared_ptr<OldSource> source() {
    auto opened = sources->open(block, secrets);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().to_line());
    return *opened;
  }

  test::OldServer server;
  WorkingClock clock;
  stalwart::TestSecrets secrets;
  step::StopSignal stop;
  std::vector<std::string> said;
  ir::Value block;
  std::shared_ptr<OldSources> sources;
  probe::FakeMailbox mailbox;  ///< what its messages are a test says
  step::DriverTable drivers;

 private:
  test::FakeHttpServer http_;
  test::FakeBackend smtp_;
};

}  // namespace plan::server::stalwart15
