// dovecot.door: a further passdb of kind deny, behind the master passdb with `skip =
// authenticated`, so that the master user still gets in for accounts whose own logins are refused
// (reference/split-delivery.md 9.4). Its file is empty here; dovecot.deny fills it.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::dovecot {
namespace {

/// Postfix's reload has not reached every process when its command returns.
constexpr std::chrono::milliseconds kAfterReload{1100};

using ir::Standing;
using ir::Value;
using source::Source;

constexpr std::string_view kSupportedVersion = "2.3.";

// The deny file gets the owner and mode of the users' file: the auth process reads both, and one
// that it cannot read would refuse everybody.
constexpr const char* kPrepareScript = R"sh(set -e
deny=$1 users=$2
umask 077
if [ -e "$deny" ]; then cp -- "$deny" "$deny.plan-new"; else printf '%s\n' '# Written by plan.' > "$deny.plan-new"; fi
if [ -e "$users" ]; then chown --reference="$users" -- "$deny.plan-new"; chmod --reference="$users" -- "$deny.plan-new";
else chmod 644 -- "$deny.plan-new"; fi
sync -- "$deny.plan-new"
mv -f -- "$deny.plan-new" "$deny")sh";

struct Wanted {
  std::string deny_file = {};
  std::string configuration = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(deny_file, source::text_argument(arguments, "deny_file"));
  PLAN_TRY(configuration, source::text_argument(arguments, "configuration"));
  wanted.deny_file = deny_file;
  wanted.configuration = configuration;
  return wanted;
}

/// Text of a file of the source; nothing when it is not there.
Result<std::optional<std::string>> text_of(Source& source, const std::string& path) {
  const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
  PLAN_TRY(exists, source.host(source::Place::dovecot).exists(path, deadline));
  if (!exists) return std::optional<std::string>();
  PLAN_TRY(text,
           source.host(source::Place::dovecot).read_file(path, std::size_t{1} << 20U, deadline));
  return std::optional<std::string>(std::move(text));
}

Result<std::vector<Passdb>> passdbs_of(Source& source) {
  PLAN_TRY(text, source.run(source::Place::dovecot,
                            {"doveconf", "-c", source.block().dovecot_config, "passdb"}));
  return parse_passdbs(text);
}

class DoorDriver final : public step::StepDriver {
 public:
  explicit DoorDriver(std::shared_ptr<source::SourcePool> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(snippet, text_of(*source, wanted.configuration));
    PLAN_TRY(has_deny_file,
             source->host(source::Place::dovecot)
                 .exists(wanted.deny_file, net::Deadline::after(source::kCommandTime)));
    ir::Observation observation;
    const std::string text = door_snippet(wanted.deny_file);
    if (snippet != text) {
      observation.differences.push_back({.path = wanted.configuration,
                                         .is = snippet ? Value(*snippet) : Value(),
                                         .wanted = text});
    }
    if (!has_deny_file)
      observation.differences.push_back(
          {.path = wanted.deny_file, .is = {}, .wanted = "an empty file"});
    if (snippet == text) {
      PLAN_TRY(passdbs, passdbs_of(*source));
      if (std::string fault = door_fault(passdbs, wanted.deny_file); !fault.empty())
        observation.remark = std::move(fault);
    }
    observation.standing = observation.differences.empty() ? Standing::satisfied
                           : snippet                       ? Standing::differs
                                                           : Standing::absent;
    observation.prior = Value::map({{"was_there", snippet == text}});
    observation.fingerprint = Value::map({{"foreign", snippet && snippet != text}});
    observation.duration_ms = 3000;
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(check_version(*source));
    const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
    PLAN_TRY(snippet, text_of(*source, wanted.configuration));
    const std::string text = door_snippet(wanted.deny_file);
    if (snippet && *snippet != text) {
      return Error(source::errors::door_not_possible,
                   fmt::format("{} is there and is not plan's: name another file",
                               wanted.configuration))
          .with_blame(Blame::plan)
          .with_argument("configuration");
    }
    PLAN_TRY_VOID(source
                      ->run(source::Place::dovecot, {"sh", "-c", kPrepareScript, "sh",
                                                     wanted.deny_file, source->block().users_file})
                      .while_doing("making " + wanted.deny_file));
    PLAN_TRY_VOID(source->host(source::Place::dovecot)
                      .replace_file(wanted.configuration, text, 0644, deadline));
    // Read by doveconf before any process of Dovecot does: a configuration with a fault would stop
    // logins.
    auto passdbs = passdbs_of(*source);
    std::string fault = passdbs ? door_fault(*passdbs, wanted.deny_file)
                                : std::string("Dovecot refuses the configuration");
    if (!fault.empty()) {
      if (!snippet)
        PLAN_TRY_VOID(
            source->run(source::Place::dovecot, {"rm", "-f", "--", wanted.configuration}));
      Error error = Error(source::errors::door_not_possible, std::move(fault))
                        .with_blame(Blame::plan)
                        .with_argument("configuration");
      return passdbs ? std::move(error) : std::move(error).with_detail(passdbs.error().detail());
    }
    PLAN_TRY_VOID(source->renew_logins());
    context.clock.sleep_for(kAfterReload);
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(passdbs, passdbs_of(*source));
    if (std::string fault = door_fault(passdbs, wanted.deny_file); !fault.empty()) {
      return Error(step::errors::not_as_wanted, std::move(fault)).with_blame(Blame::source);
    }
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    if (context.prior["was_there"].bool_or(false)) return {};
    PLAN_TRY(snippet, text_of(*source, wanted.configuration));
    if (!snippet) return {};
    if (*snippet != door_snippet(wanted.deny_file)) {
      return Error(step::errors::changed_since,
                   fmt::format("{} is not as plan wrote it", wanted.configuration))
          .with_blame(Blame::source);
    }
    PLAN_TRY(names, source->deny_file(wanted.deny_file).read());
    if (!names.empty()) {
      return Error(step::errors::changed_since,
                   fmt::format("{} names are still in {}", names.size(), wanted.deny_file))
          .with_blame(Blame::source);
    }
    PLAN_TRY_VOID(source->run(source::Place::dovecot, {"rm", "-f", "--", wanted.configuration}));
    PLAN_TRY_VOID(source->renew_logins());
    context.clock.sleep_for(kAfterReload);
    return source->run(source::Place::dovecot, {"rm", "-f", "--", wanted.deny_file})
        .map([](const std::string&) {});
  }

 private:
  static Outcome check_version(Source& source) {
    PLAN_TRY(version, source.run(source::Place::dovecot, {"dovecot", "--version"}));
    if (version.starts_with(kSupportedVersion)) return {};
    return Error(source::errors::source_version_unknown,
                 fmt::format("Dovecot {} is configured otherwise than 2.3",
                             printable(trim(version), 40)))
        .with_blame(Blame::source);
  }

  std::shared_ptr<source::SourcePool> sources_;
};

}  // namespace

std::string door_snippet(std::string_view deny_file) {
  return fmt::format(
      "# Written by plan. Refuses the logins of accounts that have moved; the master user passes.\n"
      "passdb {{\n"
      "  driver = passwd-file\n"
      "  deny = yes\n"
      "  skip = authenticated\n"
      "  args = username_format=%Lu {}\n"
      "}}\n",
      deny_file);
}

std::vector<Passdb> parse_passdbs(std::string_view text) {
  std::vector<Passdb> passdbs;
  bool is_inside = false;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view words = trim(line);
    if (words == "passdb {") {
      passdbs.emplace_back();
      is_inside = true;
    } else if (words == "}") {
      is_inside = false;
    } else if (const std::size_t equals = words.find('=');
               is_inside && equals != std::string_view::npos) {
      const std::string_view name = trim(words.substr(0, equals));
      const std::string_view value = trim(words.substr(equals + 1));
      Passdb& passdb = passdbs.back();
      if (name == "driver") passdb.driver = value;
      if (name == "args") passdb.args = value;
      if (name == "deny") passdb.is_deny = value == "yes";
      if (name == "master") passdb.is_master = value == "yes";
      if (name == "skip") passdb.skip = value;
    }
  }
  return passdbs;
}

std::string door_fault(const std::vector<Passdb>& passdbs, std::string_view deny_file) {
  std::optional<std::size_t> door;
  for (std::size_t index = 0; index < passdbs.size(); ++index) {
    const Passdb& passdb = passdbs[index];
    const std::size_t blank = passdb.args.rfind(' ');
    const std::string_view file = blank == std::string::npos
                                      ? std::string_view(passdb.args)
                                      : std::string_view(passdb.args).substr(blank + 1);
    if (passdb.is_deny && file == deny_file) {
      door = index;
    } else if (passdb.is_master && door) {
      return "the deny passdb stands before a master passdb, so the master user would be refused "
             "too";
    } else if (!passdb.is_master && !passdb.is_deny && !door) {
      return fmt::format(
          "the users' passdb ({}) is asked before the deny passdb, so nobody would be refused",
          passdb.driver);
    }
  }
  if (!door) return "Dovecot does not read that configuration file";
  if (passdbs[*door].skip != "authenticated") return "the deny passdb lacks `skip = authenticated`";
  return {};
}

std::shared_ptr<step::StepDriver> make_door_driver(std::shared_ptr<source::SourcePool> sources) {
  return std::make_shared<DoorDriver>(std::move(sources));
}

}  // namespace plan::server::dovecot
