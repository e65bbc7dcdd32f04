#pragma once
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
#include "normalise.h"
#include "runtime/rehearsal/embedded_target.h"

namespace plan::replay {

/// How one file of a recording came out.
struct Score {
  std::string topic = {};
  std::size_t agreed = 0;
  std::size_t total = 0;
  std::size_t sent_agreed = 0;  ///< of these: exchanges of the kinds that plan itself sends
  std::size_t sent_total = 0;
  std::vector<std::string> disagreements = {};  ///< "scenario/step note: difference"
};

/// An exchange that was played: what was recorded and what came, for the test that alters
/// recordings.
struct Played {
  ir::Value recorded = {};
  ir::Value ours = {};
  NameMap names = {};  ///< what was known before the two were compared
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
  /// How fast the retry schedule and the waits after errors run, from the next start on.
  double schedule_speed = 500;
  /// The schema it was born with, for what the compiler would let through.
  [[nodiscard]] const schema::Schema& schema();
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] rehearsal::EmbeddedTarget& target() { return *target_; }

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

/// What a file needs besides its lines.
struct PlayOptions {
  /// Called before each scenario: the state it starts from (the recordings' READMEs).
  std::function<void(const std::string& scenario)> before_scenario = {};
  /// The address the recorder came from, sent as X-Forwarded-For; empty: loopback.
  std::string client_address = {};
  /// Addresses of the recorder's network and what stands for them here, in requests and answers.
  std::map<std::string, std::string> addresses = {};
  std::vector<Played>* played = nullptr;
};

/// Plays the exchanges of one file. `captures` are names known before (accounts); what the file
/// captures is added. What a note says went before an exchange is done before it.
[[nodiscard]] Score play_file(Stage& stage, const std::filesystem::path& file, Captures& captures,
                              NameMap& names, const PlayOptions& options = {});
/// Plays the line protocols of one file.
[[nodiscard]] Score play_wire(Stage& stage, const std::filesystem::path& file);
/// One call as the administrator; the arguments of the first response.
ir::Value administer(Stage& stage, const std::string& calls_json);
/// A self-signed certificate for the servers, made once.
[[nodiscard]] net::TlsServerOptions certificate(const std::filesystem::path& directory);

}  // namespace plan::replay
