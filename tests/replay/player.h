#pragma once
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bodies.h"
#include "compiler/ir/value.h"
#include "compiler/schema/schema.h"
#include "listed.h"
#include "normalise.h"
#include "runtime/net/clock.h"
#include "runtime/rehearsal/embedded_target.h"
#include "score.h"

namespace plan::replay {

/// The machine's clock, which can be put forward.
class StageClock final : public net::Clock {
 public:
  Monotonic now() override { return net::system_clock().now(); }
  std::int64_t wall_ms() override { return net::system_clock().wall_ms() + ahead_ms_; }
  void sleep_for(std::chrono::milliseconds duration) override {
    net::system_clock().sleep_for(duration);
  }
  /// What was counted in the minute before is over then.
  void skip(std::chrono::milliseconds time) { ahead_ms_ += time.count(); }

 private:
  std::atomic<std::int64_t> ahead_ms_{0};
};

/// A target in a state of the recordings' READMEs.
class Stage {
 public:
  explicit Stage(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~Stage() { target_.reset(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  /// Stops what runs and starts it anew on the same directory, or an empty one.
  void start(bool is_fresh, bool is_recovery);
  /// As STALWART_PUBLIC_URL, from the next start on.
  std::string public_url = {};
  /// Where all of the outside world takes its mail, from the next start on.
  std::string outside_mx = {};
  /// As before the first configuration, at the next start.
  bool is_bootstrap = false;
  /// How fast the retry schedule and the waits after errors run, from the next start on.
  double schedule_speed = 500;
  /// The schema it was born with, for what the compiler would let through.
  [[nodiscard]] const schema::Schema& schema();
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] rehearsal::EmbeddedTarget& target() { return *target_; }
  StageClock clock = {};

 private:
  std::filesystem::path directory_;
  std::unique_ptr<rehearsal::EmbeddedTarget> target_;
  std::optional<schema::Schema> schema_;
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers = {};
  std::string body = {};
};
[[nodiscard]] HttpAnswer send_http(std::uint16_t port, const std::string& method,
                                   const std::string& path,
                                   const std::vector<std::pair<std::string, std::string>>& headers,
                                   const std::string& body);

/// What was observed of a mail or a login, one text for each thing: recorded, and here.
struct Observed {
  std::vector<std::string> recorded = {};
  std::vector<std::string> ours = {};
};
/// The first difference, or nothing; the order does not count.
[[nodiscard]] std::optional<std::string> difference(const Observed& observed);
/// Alters one of the recorded texts: the comparison has to object.
void alter_observed(const Observed& observed, const std::string& where, Score& score);

/// What a file needs besides its lines.
struct PlayOptions {
  /// What is left out, by disagreements.md.
  const Listed* listed = nullptr;
  /// Called before each scenario: the state it starts from (the recordings' READMEs).
  std::function<void(const std::string& scenario)> before_scenario = {};
  /// Called before each exchange with "scenario/step".
  std::function<void(const std::string& where)> before_exchange = {};
  /// Plays an observation (`case`); without it they differ.
  std::function<Observed(const ir::Value& record)> observe = {};
  /// Ids that the requests of the file name as they were recorded, and ours.
  const std::map<std::string, std::string>* ids = nullptr;
  /// The address the recorder came from, sent as X-Forwarded-For; empty: loopback.
  std::string client_address = {};
  /// Texts of the recorder's network and what stands for them here, in requests and answers.
  std::map<std::string, std::string> texts = {};
};

/// Plays the exchanges of one file. `captures` are names known before (accounts); what the file
/// captures is added. What a note says went before an exchange is done before it.
[[nodiscard]] Score play_file(Stage& stage, const std::filesystem::path& file, Captures& captures,
                              NameMap& names, const PlayOptions& options = {});
/// Plays the line protocols of one file.
[[nodiscard]] Score play_wire(Stage& stage, const std::filesystem::path& file);
/// A score for a file, named after it and its folder.
[[nodiscard]] Score score_of(const std::filesystem::path& file);
/// One call as the administrator; the arguments of the first response.
ir::Value administer(Stage& stage, const std::string& calls_json);
/// A self-signed certificate for the servers, made once.
[[nodiscard]] net::TlsServerOptions certificate(const std::filesystem::path& directory);

}  // namespace plan::replay
