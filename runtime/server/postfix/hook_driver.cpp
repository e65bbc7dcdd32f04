// postfix.hook: plan's own transport map in front of the others. The map is made and has its
// database before main.cf names it: a map that cannot be opened would defer all mail.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::postfix {
namespace {

using ir::Standing;
using ir::Value;
using source::Source;

// A main.cf that changed within the last second is read again and again by each new process until
// it is older; its time is set back so that nobody waits.
constexpr const char* kSetScript = R"sh(set -e
conf=$1 postconf=$2 postfix=$3 value=$4
if [ "$value" = "" ]; then "$postconf" -c "$conf" -X transport_maps; else "$postconf" -c "$conf" -e "transport_maps=$value"; fi
touch -d "@$(($(date +%s) - 60))" -- "$conf/main.cf"
"$postfix" -c "$conf" reload >&2)sh";

Outcome set_transport_maps(Source& source, const std::string& value) {
  return source
      .run(source::Place::postfix,
           {"sh", "-c", kSetScript, "sh", source.block().postfix_directory,
            source.postfix("postconf", {}).front(), source.postfix("postfix", {}).front(), value})
      .map([](const std::string&) {});
}

class HookDriver final : public step::StepDriver {
 public:
  explicit HookDriver(std::shared_ptr<source::SourcePool> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(path, source::text_argument(context.arguments, "transport_map"));
    TransportMap& map = source->transport_map(path);
    PLAN_TRY(reference, map.reference());
    PLAN_TRY(value, source->postconf("transport_maps"));
    PLAN_TRY(state, map.look());
    ir::Observation observation;
    const bool is_there = is_map_in_front(value, reference);
    if (!is_there) {
      observation.differences.push_back(
          {.path = "transport_maps", .is = value, .wanted = with_map_in_front(value, reference)});
    }
    if (!state.exists)
      observation.differences.push_back({.path = "transport_map", .is = {}, .wanted = path});
    observation.standing =
        observation.differences.empty() ? Standing::satisfied : Standing::differs;
    observation.prior = Value::map({{"transport_maps", value}});
    observation.fingerprint =
        Value::map({{"transport_maps", is_there ? without_ours(value, reference) : value}});
    observation.duration_ms = 500;
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(path, source::text_argument(context.arguments, "transport_map"));
    TransportMap& map = source->transport_map(path);
    PLAN_TRY_VOID(map.create().while_doing("making " + path));
    PLAN_TRY(reference, map.reference());
    PLAN_TRY(value, source->postconf("transport_maps"));
    const std::string wanted =
        is_map_in_front(value, reference) ? value : with_map_in_front(value, reference);
    PLAN_TRY_VOID(
        set_transport_maps(*source, wanted).while_doing("setting transport_maps of the source"));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(path, source::text_argument(context.arguments, "transport_map"));
    TransportMap& map = source->transport_map(path);
    PLAN_TRY(reference, map.reference());
    PLAN_TRY(value, source->postconf_expanded("transport_maps"));
    if (!is_map_in_front(value, reference)) {
      return Error(step::errors::not_as_wanted, fmt::format("transport_maps is `{}`", value))
          .with_blame(Blame::source);
    }
    PLAN_TRY_VOID(map.query("nobody@plan.invalid"));  // the database can be opened
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(path, source::text_argument(context.arguments, "transport_map"));
    TransportMap& map = source->transport_map(path);
    PLAN_TRY(reference, map.reference());
    PLAN_TRY(value, source->postconf("transport_maps"));
    const std::string prior(context.prior["transport_maps"].string_or({}));
    if (value == prior) return {};
    if (value != with_map_in_front(prior, reference)) {
      return Error(step::errors::changed_since, fmt::format("transport_maps is `{}` now", value))
          .with_blame(Blame::source);
    }
    PLAN_TRY(state, map.look());
    if (!state.entries.empty()) {
      return Error(step::errors::changed_since,
                   fmt::format("{} accounts still have an entry in {}", state.entries.size(), path))
          .with_blame(Blame::source);
    }
    return set_transport_maps(*source, prior).while_doing("restoring transport_maps of the source");
  }

 private:
  static std::string without_ours(const std::string& value, const std::string& reference) {
    std::string_view rest = trim(std::string_view(value).substr(reference.size()));
    if (!rest.empty() && rest.front() == ',') rest = trim(rest.substr(1));
    return std::string(rest);
  }

  std::shared_ptr<source::SourcePool> sources_;
};

}  // namespace

bool is_map_in_front(std::string_view value, std::string_view reference) {
  value = trim(value);
  if (!value.starts_with(reference)) return false;
  value.remove_prefix(reference.size());
  return value.empty() || value.front() == ',' || value.front() == ' ' || value.front() == '\t' ||
         value.front() == '\n';
}

std::string with_map_in_front(std::string_view value, std::string_view reference) {
  value = trim(value);
  return value.empty() ? std::string(reference) : fmt::format("{}, {}", reference, value);
}

std::shared_ptr<step::StepDriver> make_hook_driver(std::shared_ptr<source::SourcePool> sources) {
  return std::make_shared<HookDriver>(std::move(sources));
}

}  // namespace plan::server::postfix
