#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "runtime/archive/drivers.h"
#include "tests/support/dovecot.h"
#include "tests/support/fake_mail_target.h"
#include "tests/support/temp_dir.h"

namespace plan::test {

using ir::Value;

class OnePassword final : public secret::SecretSource {
 public:
  std::string password = "master-secret";
  Result<secret::Secret> read(const ir::SecretRef&) override {
    return secret::Secret(std::string(password));
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override { return ir::SecretRef(); }
};

class PatientClock final : public net::Clock {
 public:
  Monotonic now() override { return std::chrono::steady_clock::now() + slept; }
  std::int64_t wall_ms() override { return slept.count(); }
  void sleep_for(std::chrono::milliseconds duration) override {
    slept += duration;
    if (on_sleep) on_sleep();
  }
  std::chrono::milliseconds slept{0};
  std::function<void()> on_sleep = {};
};

class ArchiveDrivers : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    dovecot_ = Dovecot::start({"alice@example.org"}, why, "/", capability_, settings_);
    if (!dovecot_) GTEST_SKIP() << why;
    user_ = std::move(*dovecot_->login("alice@example.org"));
    arguments_ = Value::map(
        {{"account", "alice@example.org"},
         {"addresses", Value::list({"alice@example.org"})},
         {"file", "archives/alice.sqlite"},
         {"apart_ms", 60'000},
         {"accept", Value::list({"perfect", "good"})},
         {"source",
          Value::map({{"address", "127.0.0.1"},
                      {"imap", Value::map({{"port", std::int64_t{dovecot_->imap_port()}},
                                           {"security", "none"}})},
                      {"sieve", Value::map({{"port", std::int64_t{dovecot_->sieve_port()}},
                                            {"security", "none"}})},
                      {"master_user", Value::map({{"name", "master"},
                                                  {"separator", "%"},
                                                  {"password", ir::SecretRef{"env", "X"}}})}})}});
    const auto client = target_.client();
    archive::add_archive_drivers(
        drivers_,
        {.open_target = [client](step::StepContext&) { return client; },
         .account_id = [this](step::StepContext&) -> Result<std::string> { return account_id_; },
         .open_as_user = [client](step::StepContext&) { return client; },
         .are_queues_empty = [this](step::StepContext&) -> Result<bool> {
           return --full_looks_ < 0;
         },
         .login_at_source = [](step::StepContext& at) -> Result<std::string> {
           return std::string(at.arguments["account"].string_or(""));
         },
         .begin_writing_at_source = [this](step::StepContext&) -> Result<bool> {
           writing_ += "begun ";
           return is_writing_taken_;
         },
         .end_writing_at_source = [this](step::StepContext&) -> Outcome {
           writing_ += "ended ";
           return {};
         }});
  }

  step::StepContext context(ir::StepKind kind) {
    return {.id = "step",
            .kind = kind,
            .arguments = arguments_,
            .account = "alice@example.org",
            .state_directory = state_,
            .secrets = secrets_,
            .clock = clock_,
            .stop = stop_,
            .notes = notes_,
            .remember =
                [this](const Value& notes) {
                  notes_ = notes;
                  return Outcome();
                },
            .progress = [](const step::Progress&) {},
            .moved = [this](std::string_view host,
                            std::uint64_t bytes) { moved_[std::string(host)] += bytes; }};
  }
  /// As the engine does: a step that waits is called again when its time has come.
  Result<Value> apply(ir::StepKind kind, std::string_view run = {}) {
    notes_ = Value();
    for (waits_ = 0;; ++waits_) {
      auto at = context(kind);
      at.run_id = run;
      auto outputs = drivers_.find(kind)->apply(at);
      if (!outputs && outputs.error().is(step::errors::not_yet) && waits_ < 100) {
        clock_.sleep_for(outputs.error().retry_after());
        continue;
      }
      if (!outputs) return outputs;
      PLAN_TRY_VOID(drivers_.find(kind)->verify(at));
      return outputs;
    }
  }
  void append(const std::string& mailbox, const std::string& body,
              std::vector<std::string> flags = {}) {
    const auto done = user_->append(mailbox, {.body = body, .flags = std::move(flags)});
    ASSERT_TRUE(done) << done.error().to_line();
  }

  std::string capability_ = {};  ///< what the source says that it can; empty: all
  std::string settings_ = {};    ///< further lines of the source's configuration
  std::unique_ptr<Dovecot> dovecot_;
  std::unique_ptr<net::imap::Client> user_;
  FakeMailTarget target_;
  TempDir directory_;
  std::string state_ = directory_.path().string();
  OnePassword secrets_;
  PatientClock clock_;
  step::StopSignal stop_;
  step::DriverTable drivers_;
  Value arguments_;
  std::map<std::string, std::uint64_t> moved_ = {};  ///< bytes by host, as the engine is told
  Value notes_;
  int waits_ = 0;
  int full_looks_ = 0;
  std::string account_id_ =
      FakeMailTarget::account_id();  ///< empty: the target has no such account
  bool is_writing_taken_ = false;    ///< of the account at the source
  std::string writing_ = {};         ///< when the drivers wanted it given, and taken again
};

}  // namespace plan::test
