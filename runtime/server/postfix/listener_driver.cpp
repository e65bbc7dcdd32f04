// postfix.listener: a further smtpd that only the proxies know, which takes the PROXY header and so
// sees the true client. Whoever reaches the port can claim any address in that header, so nothing
// on it may trust an address: mynetworks and the XCLIENT and XFORWARD hosts are empty there
// (reference/split-delivery.md 9.9).
#include <fmt/format.h>

#include <thread>

#include "compiler/source/text.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::postfix {
namespace {

using ir::Standing;
using ir::Value;
using source::Source;

constexpr std::string_view kOptions =
    "-o smtpd_upstream_proxy_protocol=haproxy -o mynetworks= -o smtpd_authorized_xclient_hosts= "
    "-o smtpd_authorized_xforward_hosts= -o smtpd_client_connection_count_limit=0";
// Documentation addresses (RFC 5737): a client that no source trusts.
constexpr std::string_view kStrangerHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25";
constexpr std::chrono::milliseconds kStartTime{10'000};

struct Wanted {
  std::string name = {};  ///< of the service: "10.9.0.2:10025", "10025"
  std::string address = {};
  std::uint16_t port = 0;
};

/// In a container there is no address of the machine to bind to: all that it has are bound, and the
/// port is what the machine publishes.
std::string service_name(const std::string& address, std::int64_t port, bool is_in_container) {
  if (is_in_container) return std::to_string(port);
  const bool is_ipv6 = address.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

Result<Wanted> wanted_of(const Value& arguments, const Source& source) {
  Wanted wanted;
  PLAN_TRY(address, source::text_argument(arguments, "address"));
  const std::int64_t port = arguments["port"].integer_or(0);
  if (port < 1 || port > 65535) {
    return Error(step::errors::argument_missing, "argument `port` is missing")
        .with_blame(Blame::plan)
        .with_argument("port");
  }
  wanted.address = address;
  wanted.port = static_cast<std::uint16_t>(port);
  wanted.name = service_name(address, port, !source.block().postfix_container.empty());
  return wanted;
}

/// Words of a master.cf line with one blank between them, so that two spellings compare.
std::string squeezed(std::string_view line) {
  std::string text;
  for (const char byte : trim(line)) {
    const bool is_blank = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
    if (!is_blank) text += byte;
    if (is_blank && !text.empty() && text.back() != ' ') text += ' ';
  }
  return text;
}

/// service type private unprivileged chroot wakeup maxproc command arguments; empty: no such line.
std::string_view program_of(std::string_view line) {
  const std::vector<std::string_view> words = split(line, ' ');
  return words.size() < 8 ? std::string_view() : words[7];
}

/// The service as postconf prints it; empty when there is none.
Result<std::string> service_line(Source& source, const std::string& name_and_type) {
  PLAN_TRY(text,
           source.run(source::Place::postfix, source.postfix("postconf", {"-M", name_and_type})));
  return squeezed(text);
}

constexpr const char* kSetScript = R"sh(set -e
conf=$1 postconf=$2 postfix=$3 service=$4 line=$5
if [ "$line" = "" ]; then "$postconf" -c "$conf" -MX "$service"; else "$postconf" -c "$conf" -M -e "$service=$line"; fi
"$postfix" -c "$conf" reload >&2)sh";

Outcome set_service(Source& source, const std::string& service, const std::string& line) {
  return source
      .run(source::Place::postfix, {"sh", "-c", kSetScript, "sh", source.block().postfix_directory,
                                    source.postfix("postconf", {}).front(),
                                    source.postfix("postfix", {}).front(), service, line})
      .map([](const std::string&) {});
}

class ListenerDriver final : public step::StepDriver {
 public:
  explicit ListenerDriver(std::shared_ptr<source::SourcePool> sources)
      : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(wanted, wanted_of(context.arguments, *source));
    PLAN_TRY(now, service_line(*source, wanted.name + "/inet"));
    PLAN_TRY(line, wanted_line(*source, wanted));
    ir::Observation observation;
    if (now != line)
      observation.differences.push_back({.path = wanted.name, .is = now, .wanted = line});
    observation.standing = now == line   ? Standing::satisfied
                           : now.empty() ? Standing::absent
                                         : Standing::differs;
    observation.prior = Value::map({{"line", now == line ? std::string() : now}});
    observation.fingerprint = Value::map({{"line", now == line ? std::string() : now}});
    observation.duration_ms = 1000;
    observation.remark =
        "only the proxies should reach this port: whoever does can claim any client address";
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(wanted, wanted_of(context.arguments, *source));
    PLAN_TRY(line, wanted_line(*source, wanted));
    const std::string service = wanted.name + "/inet";
    PLAN_TRY_VOID(
        set_service(*source, service, line).while_doing("adding the listener " + wanted.name));
    Outcome sound = must_not_relay(context, wanted);
    if (sound) return Value::map();
    if (!sound.error().is(source::errors::relays_for_anybody))
      return std::move(sound).error().with_effect(Effect::applied);
    // An open relay does not wait for somebody to roll back.
    const std::string prior(context.prior["line"].string_or({}));
    if (Outcome back = set_service(*source, service, prior); !back) {
      return std::move(sound)
          .error()
          .with_effect(Effect::applied)
          .while_doing(fmt::format("leaving the listener there, which could not be put back: {}",
                                   back.error().to_line()));
    }
    return std::move(sound).error().while_doing("adding a listener, which was put back as it was");
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(wanted, wanted_of(context.arguments, *source));
    return must_not_relay(context, wanted);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(wanted, wanted_of(context.arguments, *source));
    PLAN_TRY(now, service_line(*source, wanted.name + "/inet"));
    const std::string prior(context.prior["line"].string_or({}));
    if (now == prior) return {};
    if (now.find("smtpd_upstream_proxy_protocol=haproxy -o mynetworks=") == std::string::npos) {
      return Error(step::errors::changed_since,
                   fmt::format("the service {} is `{}` now", wanted.name, now))
          .with_blame(Blame::source);
    }
    return set_service(*source, wanted.name + "/inet", prior)
        .while_doing("taking the listener away");
  }

 private:
  static Outcome must_not_relay(step::StepContext& context, const Wanted& wanted) {
    // The reload has not reached the master process when the command returns.
    const net::Deadline deadline = net::Deadline::after(kStartTime);
    while (true) {
      net::smtp::ConnectOptions options;
      options.host = wanted.address;
      options.port = wanted.port;
      options.ehlo_name = "probe.plan.invalid";
      options.proxy_header = kStrangerHeader;
      auto client = net::smtp::Client::connect(options, deadline);
      if (client) {
        const net::smtp::Envelope envelope{.sender = "probe@plan.invalid",
                                           .recipients = {"nobody@relay.plan.invalid"}};
        PLAN_TRY(answer, (*client)->ask(envelope, deadline));
        (*client)->quit(deadline);
        if (!answer.is_accepted) return {};
        return Error(source::errors::relays_for_anybody,
                     fmt::format("{} takes mail for a foreign domain from 192.0.2.1", wanted.name))
            .with_blame(Blame::source)
            .with_detail(answer.reply.to_text());
      }
      if (deadline.is_over()) return std::move(client).error();
      context.clock.sleep_for(std::chrono::milliseconds(100));
    }
  }

  static Result<std::string> wanted_line(Source& source, const Wanted& wanted) {
    PLAN_TRY(public_line, service_line(source, "smtp/inet"));
    // Behind postscreen there is an smtpd of its own, which takes connections from it alone.
    if (program_of(public_line) == "postscreen") {
      PLAN_TRY(behind, service_line(source, "smtpd/pass"));
      return listener_line(behind, wanted.name);
    }
    return listener_line(public_line, wanted.name);
  }

  std::shared_ptr<source::SourcePool> sources_;
};

}  // namespace

std::string listener_line(std::string_view public_line, std::string_view name) {
  const std::string line = squeezed(public_line);
  std::vector<std::string_view> words = split(line, ' ');
  if (program_of(line) != "smtpd") return fmt::format("{} inet n - - - - smtpd {}", name, kOptions);
  std::string text = fmt::format("{} inet n", name);  // a line of type pass may be private
  for (std::size_t index = 3; index < words.size(); ++index)
    text += fmt::format(" {}", words[index]);
  return fmt::format("{} {}", text, kOptions);  // a later -o wins over an earlier one
}

std::shared_ptr<step::StepDriver> make_listener_driver(
    std::shared_ptr<source::SourcePool> sources) {
  return std::make_shared<ListenerDriver>(std::move(sources));
}

}  // namespace plan::server::postfix
