// links: rehearsal
// A client of the embedded target: the first byte chooses JMAP as the administrator, JMAP as a
// user, IMAP, ManageSieve, port 25 or submission; the second how the bytes are cut. Line protocols
// begin where the client has to log in; PLAIN for the user is
// AGFAZXhhbXBsZS5vcmcAQ29ycmVjdC1Ib3JzZS1CYXR0ZXJ5LTk=. One target serves many inputs, then a new
// one takes its place, so that what they leave behind is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ir/json.h"
#include "compiler/source/check.h"
#include "embedded/rehearsal_schema.h"
#include "runtime/rehearsal/imap_server.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/schema_facts.h"
#include "runtime/rehearsal/sieve_server.h"
#include "runtime/rehearsal/smtp_server.h"
#include "runtime/rehearsal/world.h"
#include "tests/fuzz/canned_stream.h"
#include "tests/fuzz/temporary_folder.h"

namespace {

using namespace plan;
using namespace plan::rehearsal;

constexpr int kInputsPerTarget = 300;
constexpr std::string_view kUser = "a@example.org";
constexpr std::string_view kSetUp = R"({
  "using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
  "methodCalls": [
    ["x:Domain/set", {"create": {"d": {"name": "example.org"}}}, "0"],
    ["x:Account/set", {"create": {"a": {"@type": "User", "name": "a", "domainId": "#d",
      "credentials": {"0": {"@type": "Password", "secret": "Correct-Horse-Battery-9"}}}}}, "1"]]})";

/// The target never stops: the client leaves by itself.
class Signal final : public net::StopSignal {
 public:
  [[nodiscard]] bool is_stopping() const override { return false; }
};

std::string_view schema_text() {
  for (const EmbeddedFile& file : embedded::rehearsal_schema())
    if (file.name.ends_with(".json")) return file.text;
  return {};
}

Login administrator() {
  return {.account = kAdministratorId, .name = "admin", .is_administrator = true};
}

struct Target {
  fuzz::TemporaryFolder folder;
  std::unique_ptr<World> world;

  Target() {
    auto storage = Storage::open(folder.path());
    auto facts = SchemaFacts::parse(schema_text());
    PLAN_CHECK(storage && facts, "a target starts");
    EmbeddedTargetOptions options;
    options.admin_password = "adminpw";
    options.schedule_speed = 1e6;  // the five seconds that a stranger waits after an error
    world = std::make_unique<World>(std::move(options), std::move(*storage), std::move(*facts));
    {
      const std::lock_guard lock(world->mutex);
      seed_defaults(*world);
      static_cast<void>(reload_settings(*world, false));
      reload_lookups(*world);
      world->commit();
    }
    const JmapResponse made = run_jmap(*world, administrator(), kSetUp, "127.0.0.1");
    const std::lock_guard lock(world->mutex);
    PLAN_CHECK(made.status == 200 && account_by_login(*world, kUser), "the user is there");
  }
};

Login user(World& world) {
  return log_in(world, kUser, "Correct-Horse-Battery-9", "127.0.0.1").login;
}

void jmap(World& world, const Login& login, std::string_view body) {
  const JmapResponse response = run_jmap(world, login, body, "127.0.0.1");
  PLAN_CHECK(response.is_dropped || (response.status >= 200 && response.status < 600),
             "a request has an answer");
  PLAN_CHECK(ir::parse_json(ir::write_json(response.body)).has_value(), "which is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Target* target = nullptr;
  static int inputs = 0;
  if (target == nullptr) {
    target = new Target();
    // Registered behind what RocksDB registers when it is first used, so that it still works then.
    std::atexit([] { delete target; });
  } else if (++inputs % kInputsPerTarget == 0) {
    delete target;
    target = new Target();
  }
  if (size < 2) return 0;
  World& world = *target->world;
  const std::string_view said(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto stream = std::make_unique<fuzz::CannedStream>(said, std::size_t{1} + data[1], true);
  const Signal signal;
  switch (data[0] % 6U) {
    case 0:
      jmap(world, administrator(), said);
      break;
    case 1:
      jmap(world, user(world), said);
      break;
    case 2:
      serve_imap(world, Service::imap, std::move(stream), signal);
      break;
    case 3:
      serve_sieve(world, Service::sieve, std::move(stream), signal);
      break;
    case 4:
      serve_smtp(world, Service::smtp, std::move(stream), signal);
      break;
    default:
      serve_smtp(world, Service::submission, std::move(stream), signal);
      break;
  }
  return 0;
}
