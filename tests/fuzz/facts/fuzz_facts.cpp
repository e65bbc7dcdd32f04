// links: facts
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/json.h"
#include "compiler/source/check.h"

/// The measurements beside a plan, and the answers of two servers (the source's up to the first
/// NUL, the target's behind it): a lock that comes of them is one that can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  SourceSet sources;
  Sink sink;
  const auto measured =
      facts::read_measurements(sources, sources.add("facts", std::string(text)), sink);
  for (const facts::Measurement& measurement : measured.all()) {
    PLAN_CHECK(measured.find(measurement.what) == &measurement, "a measurement is found");
    static_cast<void>(measured.count(measurement.what));
    static_cast<void>(facts::write_measurement(measurement));
  }
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return 0;
  const auto source = ir::parse_json(text.substr(0, end));
  const auto target = ir::parse_json(text.substr(end + 1));
  if (!source || !target) return 0;
  const auto lock = facts::lock_from_surveys("p", *source, *target);
  if (!lock) return 0;
  const std::string written = facts::write_lock(*lock);
  Sink complaints;
  const auto again = facts::read_lock(sources, sources.add("lock", written), complaints);
  PLAN_CHECK(again && !complaints.has_errors(), "a lock that plan writes can be read");
  PLAN_CHECK(facts::write_lock(*again) == written, "and has the same bytes");
  PLAN_CHECK(facts::changed_identities(*lock, *again).empty(), "and the same identities");
  return 0;
}
