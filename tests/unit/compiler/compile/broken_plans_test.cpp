// Plans whose own procedure is the standard one with one thing broken: each is refused, with the
// message's way and a place in the file where it is broken or seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "embedded/stdlib_modules.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

struct Edit {
  std::string file = {};  ///< of stdlib/
  std::string from = {};
  std::string to = {};
};

struct Broken {
  std::string name = {};
  std::vector<Edit> edits = {};
  std::vector<std::string> lock_lines = {};
  Kind kind = Kind::mail_flow;
  std::string claim = {};  ///< part of the message
  std::string file = {};   ///< where it is reported
  std::string line = {};   ///< what that line begins with
  std::string way = {};    ///< part of a note: a hop
};

/// The text of one step of a module of stdlib/, with the line break behind it.
std::string step_of(const std::string& file, const std::string& begin) {
  for (const EmbeddedFile& module : embedded::stdlib_modules()) {
    if (module.name != file) continue;
    const std::size_t at = module.text.find("step " + begin);
    const std::size_t end = module.text.find("\n}\n", at);
    if (at == std::string_view::npos || end == std::string_view::npos) break;
    return std::string(module.text.substr(at, end + 3 - at));
  }
  ADD_FAILURE() << "no step " << begin << " in " << file;
  return "";
}

/// A step of no row behind the account's moves, which holds the mail of the one that it names.
std::string late_hold(const std::string& account) {
  return fmt::format(
      "\nstep late : postfix.hold {{\n  stage = waves\n  after = [account/{{}}/release]\n"
      "  account = \"{0}\"\n  addresses = [\"{0}\"]\n"
      "  transport_map = source.postfix.transport_map\n}}\n",
      account);
}

/// The lock with more lines, sorted and sealed as `plan fetch` does.
std::string with_lines(const std::string& lock, const std::vector<std::string>& lines) {
  std::vector<std::string> facts = lines;
  std::string text;
  for (const std::string_view line : split(lock, '\n')) {
    if (line.starts_with("plan-lock ") || line.starts_with("#")) {
      text += std::string(line) + "\n";
    } else if (!line.empty() && !line.starts_with("digest ")) {
      facts.emplace_back(line);
    }
  }
  std::sort(facts.begin(), facts.end());
  for (const std::string& fact : facts) text += fact + "\n";
  return text + "digest " + ir::sha256(text).hex() + "\n";
}

struct Compiled {
  std::deque<std::string> texts = {};
  std::vector<EmbeddedFile> modules = {};
  CompileResult result = {};
};

Compiled compiled(const Broken& broken) {
  Compiled all;
  for (const EmbeddedFile& module : embedded::stdlib_modules()) {
    std::string& text = all.texts.emplace_back(module.text);
    for (const Edit& edit : broken.edits) {
      if (edit.file != module.name) continue;
      const std::size_t at = text.find(edit.from);
      EXPECT_NE(at, std::string::npos) << broken.name << ": " << edit.from;
      if (at != std::string::npos) text.replace(at, edit.from.size(), edit.to);
    }
    all.modules.push_back({module.name, text});
  }
  auto golden = read_golden_case(repository() / "tests/golden/mail/own-move");
  golden->input.stdlib = all.modules;
  golden->input.lock_text = with_lines(*golden->input.lock_text, broken.lock_lines);
  all.result = compile(std::move(golden->input));
  return all;
}

const std::string kMove = "account-move.plan";
const std::string kSplit = "split-delivery.plan";
const std::string kTarget = "target-preparation.plan";
const std::string kFinalize = "finalize.plan";

std::vector<Broken> broken_plans() {
  const std::string keys = step_of(kMove, "account/{}/keys");
  const std::string forward = step_of(kMove, "account/{}/forward");
  const std::string hold = step_of(kMove, "account/{}/hold-mail");
  const std::string throttle = step_of(kTarget, "target/throttle/{}");
  const std::string limit = step_of(kTarget, "target/session-limit");
  const std::string allowed = step_of(kTarget, "target/allowed-ip/{}");
  const std::string allowed_back = step_of(kFinalize, "finalize/allowed-ip/{}");
  const std::string route_back = step_of(kFinalize, "finalize/strategy");
  return {
      {"no hold",
       {{kMove, hold, ""}, {kMove, "[account/{}/hold-mail]", "[account/{}/copy]"}},
       {},
       Kind::mail_flow,
       "reaches the old mailbox after the last copy of it was made",
       "std/" + kMove,
       "step account/{}/delta",
       "source delivers to alice@example.org"},
      {"no forward",
       {{kMove, forward, ""}, {kMove, "after = [account/{}/forward]", "after = [account/{}/keys]"}},
       {},
       Kind::mail_flow,
       "still waits when all steps of its move are done",
       "std/" + kMove,
       "step account/{}/",
       "source holds the mail of alice@example.org in its queue"},
      {"no key",
       {{kMove, keys, ""},
        {kMove, "after = [account/{}/keys]", "after = [account/{}/refresh, account/{}/grade]"}},
       {},
       Kind::mail_flow,
       "goes round between the two servers until it bounces",
       "std/" + kMove,
       "step account/{}/forward",
       "it goes round until both servers count too many hops"},
      {"forward in front of the key",
       {{kMove, "after = [account/{}/keys]", "after = [account/{}/grade]"},
        {kMove, keys,
         "step account/{}/keys for account in accounts : admin.keys {\n  stage = waves\n"
         "  role = held\n  after = [account/{}/forward]\n  namespace = \"migrated\"\n"
         "  account = account.address\n  addresses = account.addresses\n}\n"}},
       {},
       Kind::mail_flow,
       "goes round between the two servers until it bounces",
       "std/" + kMove,
       "step account/{}/forward",
       "target routes alice@example.org by `source`"},
      {"a throttle that counts the source",
       {{kTarget, throttle, ""}, {kTarget, "target/throttle/{}, ", ""}},
       {},
       Kind::mail_flow,
       "the throttle `Sender IP throttle` slows down what the source hands on",
       "std/" + kMove,
       "step account/{}/forward",
       "target counts 203.0.113.20 by `Sender IP throttle`"},
      {"a throttle that is lifted and not reloaded",
       {{kTarget, "target/throttle/{}, ", ""}},
       {},
       Kind::mail_flow,
       "the throttle `Sender IP throttle` slows down what the source hands on",
       "std/" + kMove,
       "step account/{}/forward",
       "tells it to come again"},
      {"few messages in a session",
       {{kTarget, limit, ""}, {kTarget, "target/session-limit, ", ""}},
       {"setting target.MtaStageData.maxMessages {\"else\":\"10\"%2C\"match\":{}}"},
       Kind::mail_flow,
       "the target takes 10 messages in a session of the source",
       "std/" + kMove,
       "step account/{}/forward",
       "452 4.4.5 to message 11 of a session"},
      {"a source that nobody trusts",
       {{kTarget, allowed, ""},
        {kTarget, "target/allowed-ip/{}, ", ""},
        {kFinalize, allowed_back, ""},
        {kFinalize, "finalize/allowed-ip/{}, ", ""}},
       {"setting target.AllowedIp.address [\"203.0.113.10\"]"},
       Kind::mail_flow,
       "the target may ban the source 203.0.113.20 for ever",
       "std/" + kMove,
       "step account/{}/forward",
       "bans 203.0.113.20"},
      {"an else that leads to the source",
       {{kSplit, "else = prior.route_else", "else = \"'source'\""}},
       {},
       Kind::mail_flow,
       "mail to another domain ends as: bounced",
       "std/" + kSplit,
       "step target/domain/{}",
       "source: 554 5.7.1 Relay access denied for somebody@elsewhere.test"},
      {"a route that nobody makes",
       {{kSplit, "else = prior.route_else", "else = \"'provider'\""},
        {kSplit, "        for arm in prior.route_arms [\n          arm,\n        ],\n", ""}},
       {},
       Kind::mail_flow_unproved,
       "not proved: mail for a domain that lives only on the target is sent away from it, unless "
       "that route keeps it",
       "std/" + kSplit,
       "step target/strategy",
       "no step makes the route `provider`"},
      {"a route in no order with the reload",
       {{kSplit, "  after = [target/route]\n", ""}},
       {},
       Kind::mail_flow,
       "mail for alice@example.org is sent to the public MX",
       "std/" + kSplit,
       "step target/domain/{}",
       "target does not have the route `source` now"},
      {"an alias that the account loses",
       {{kMove, "  aliases = account.aliases\n", "  aliases = []\n"}},
       {},
       Kind::mail_flow,
       "mail for info@example.org is bounced",
       "std/" + kFinalize,
       "step finalize/",
       "target: 550 5.1.1 no account info@example.org"},
      {"a catch-all on both servers",
       {{kSplit, "catchAllAddress = null", "catchAllAddress = \"bob@example.org\""}},
       {"setting source.catch_alls {\"@example.org\":[\"bob@example.org\"]}"},
       Kind::mail_flow,
       "mail for alice@example.org does not reach alice@example.org",
       "std/" + kSplit,
       "step target/domain/{}",
       "target: the catch-all of example.org takes alice@example.org"},
      {"another delimiter of tags",
       {},
       {"setting source.recipient_delimiter \"-\""},
       Kind::recipient_delimiter,
       "at the source `-` begins the tag of an address, on the target only `+`",
       "migration.yaml",
       "source:",
       ""},
      {"a tag that only the source knows",
       {},
       {"setting source.recipient_delimiter \"-\""},
       Kind::mail_flow,
       "mail for alice-tag@example.org goes round between the two servers until it bounces",
       "std/" + kMove,
       "step account/{}/forward",
       "target accepts alice-tag@example.org, which it does not know"},
      {"an end that leaves the route",
       {{kFinalize, route_back, ""}, {kFinalize, "finalize/strategy, ", ""}},
       {},
       Kind::mail_flow,
       "goes round between the two servers until it bounces",
       "std/" + kFinalize,
       "step finalize/",
       "target routes alice@example.org by `source`"},
      {"keys that go before the route does",
       {{kFinalize, "after = [finalize/domains]\n  object = \"MemoryLookupKey\"",
         "after = [finalize/address]\n  object = \"MemoryLookupKey\""}},
       {},
       Kind::mail_flow,
       "goes round between the two servers until it bounces",
       "std/" + kFinalize,
       "step finalize/lookups",
       "source forwards alice@example.org to the target"},
      {"an old mailbox that is opened again behind the move",
       {{kMove, forward,
         forward +
             "\nstep opened/{} for account in accounts : restore {\n  stage = waves\n"
             "  after = [account/{}/sweep]\n  step = \"account/${account.address}/deny\"\n}\n"}},
       {},
       Kind::delta_without_hold,
       "opens the old mailbox of `alice@example.org` again",
       "std/" + kMove,
       "step opened/{}",
       "this step closes it"},
      {"mail held by a step of no row before the cutover",
       {{kMove, forward,
         forward + "\nstep early : postfix.hold {\n  stage = prepare\n  after = [source/hook]\n"
                   "  before = [proxies/ready]\n  account = \"alice@example.org\"\n"
                   "  addresses = [\"alice@example.org\"]\n"
                   "  transport_map = source.postfix.transport_map\n}\n"}},
       {},
       Kind::step_before_its_stage,
       "`early` holds the mail of `alice@example.org` before its mailbox is copied",
       "std/" + kMove,
       "step early",
       "this step copies it"},
      {"mail held by a step of no row behind the move",
       {{kMove, forward, forward + late_hold("alice@example.org")}},
       {},
       Kind::mail_flow,
       "mail for alice@example.org still waits when all steps of its move are done",
       "std/" + kMove,
       "step late",
       "source holds the mail of alice@example.org in its queue"},
      {"mail held of somebody whom the plan does not move",
       {{kMove, forward, forward + late_hold("zoe@example.org")}},
       {},
       Kind::mail_flow,
       "`late` decides the mail of `zoe@example.org`, which is no account of the plan",
       "std/" + kMove,
       "step late",
       ""},
      {"a hold that no way back lets go",
       {{kMove, "  role = held\n  after = [account/{}/copy]\n", "  after = [account/{}/copy]\n"}},
       {},
       Kind::step_without_rollback_point,
       "`account/alice@example.org/hold-mail` is not undone when the account's move fails",
       "std/" + kMove,
       "step account/{}/hold-mail",
       ""},
      {"a forward that no way back takes away",
       {{kMove, forward,
         "step late : postfix.forward {\n  stage = waves\n  after = [account/{}/keys]\n"
         "  account = \"alice@example.org\"\n"
         "  addresses = [\"alice@example.org\", \"info@example.org\"]\n"
         "  transport_map = source.postfix.transport_map\n"
         "  next_hop = \"smtp:[${addresses.target}]:${target.smtp.port}\"\n}\n"},
        {kMove, "after = [account/{}/forward]", "after = [late]"}},
       {},
       Kind::mail_flow,
       "mail for alice@example.org goes round between the two servers until it bounces",
       "std/" + kMove,
       "step late",
       "source forwards alice@example.org to the target"},
      {"an account that is opened before its last copy",
       {{kMove, "when = account.enabled\n  after = [account/{}/refresh, account/{}/grade]",
         "when = account.enabled\n  after = [account/{}/refresh]"}},
       {},
       Kind::mail_flow,
       "alice@example.org sends from the target before the mailbox is copied",
       "std/" + kMove,
       "step account/{}/open",
       "target sends to the MX of elsewhere.test"},
  };
}

/// The account of one row is treated otherwise than the others, or as another.
std::vector<Broken> broken_rows() {
  const std::vector<std::string> carol = {
      "account carol@example.org aliases=shop@example.org hash=SHA512-CRYPT quota=1073741824",
      "mailboxes carol@example.org names=INBOX,Sent"};
  const std::string own = "  account = account.address\n";
  const std::string alice = "  account = \"alice@example.org\"\n";
  const std::string is_carol = "choose(account.address == 'carol@example.org', ";
  const std::string file = "std/" + kMove;
  const std::string names_alice =
      "is a step of carol@example.org and names the account `alice@example.org`";
  const auto of_alice = [&](const std::string& name, const std::string& after, Kind kind) {
    return Broken{name + " of another account",
                  {{kMove, "after = [" + after + "]\n" + own, "after = [" + after + "]\n" + alice}},
                  carol,
                  kind,
                  names_alice,
                  file,
                  "step account/{}/" + name,
                  ""};
  };
  return {
      {"one account's keys in another set",
       {{kMove, "namespace = \"migrated\"", "namespace = " + is_carol + "\"nix\", \"migrated\")"}},
       carol,
       Kind::mail_flow,
       "mail for carol@example.org goes round between the two servers until it bounces",
       file,
       "step account/{}/",
       "target routes carol@example.org by `source`"},
      {"one account's hold in another map",
       {{kMove, "transport_map = source.postfix.transport_map",
         "transport_map = " + is_carol + "'/etc/postfix/nix', source.postfix.transport_map)"}},
       carol,
       Kind::delta_without_hold,
       "holds nothing: Postfix does not read `/etc/postfix/nix`",
       file,
       "step account/{}/hold-mail",
       ""},
      {"one account created as another",
       {{kMove, "after = [wave/{}/approval]\n" + own,
         "after = [wave/{}/approval]\n  account = " + is_carol +
             "address('alice@example.org'), account.address)\n"}},
       carol,
       Kind::mail_flow,
       names_alice,
       file,
       "step account/{}/create",
       ""},
      of_alice("hold-mail", "account/{}/copy", Kind::delta_without_hold),
      of_alice("deny", "account/{}/hold", Kind::delta_without_hold),
      of_alice("delta", "account/{}/deny", Kind::move_unproved),
      of_alice("forward", "account/{}/keys", Kind::mail_flow),
  };
}

std::string line_of(const Diagnostic& one, const SourceSet& sources) {
  std::uint32_t begin = 0;
  return std::string(sources.line_at(one.span.file, one.span.begin, &begin));
}

/// Does this diagnostic say what is broken, where it is broken?
bool is_told(const Broken& broken, const Diagnostic& one, const SourceSet& sources) {
  if (one.kind != broken.kind || one.message.find(broken.claim) == std::string::npos) return false;
  if (sources.name(one.span.file) != broken.file) return false;
  if (!line_of(one, sources).starts_with(broken.line)) return false;
  if (broken.way.empty()) return true;
  return std::any_of(one.notes.begin(), one.notes.end(), [&](const Label& note) {
    return note.text.find(broken.way) != std::string::npos;
  });
}

TEST(BrokenPlans, EachIsToldWithItsPlaceAndTheMessagesWay) {
  std::vector<Broken> all_broken = broken_plans();
  for (Broken& broken : broken_rows()) all_broken.push_back(std::move(broken));
  for (const Broken& broken : all_broken) {
    const Compiled all = compiled(broken);
    const auto& found = all.result.diagnostics;
    EXPECT_TRUE(std::any_of(
        found.begin(), found.end(),
        [&](const Diagnostic& one) { return is_told(broken, one, *all.result.sources); }))
        << broken.name << "\n"
        << rendered(all.result);
    if (broken.kind == Kind::mail_flow || broken.claim.find("is a step of") == 0) {
      EXPECT_FALSE(all.result.graph.has_value()) << broken.name;
    }
  }
}

TEST(BrokenPlans, TheStandardProcedureIsNoneOfThem) {
  std::vector<std::string> lines;
  std::vector<Broken> all_broken = broken_plans();
  for (Broken& broken : broken_rows()) all_broken.push_back(std::move(broken));
  for (const Broken& broken : all_broken) {
    if (broken.edits.empty()) continue;  // what the source has breaks the procedure as it is
    for (const std::string& line : broken.lock_lines) {
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
  }
  Broken none;
  none.name = "none";
  none.lock_lines = std::move(lines);
  const Compiled all = compiled(none);
  EXPECT_TRUE(all.result.graph.has_value()) << rendered(all.result);
  for (const Diagnostic& one : all.result.diagnostics) {
    EXPECT_NE(one.kind, Kind::mail_flow) << one.message;
    EXPECT_NE(one.kind, Kind::mail_flow_unproved) << one.message;
  }
}

struct Unknown {
  std::string arms = {};  ///< of the target's own expression, as JSON
  std::string otherwise = {};
  std::string claim = {};  ///< empty: all is proved
};

TEST(BrokenPlans, WhatOnlyTheTargetCanTellIsSaidWithItsPlaceAndRemedy) {
  const std::string local = R"x({"if":"is_local_domain(rcpt_domain)","then":"'local'"})x";
  const std::string asks = R"x({"if":"dns_query(rcpt_domain,'mx') == 'x'","then":"'provider'"})x";
  const std::string tries = R"x({"if":"retry_num > 3","then":"'provider'"})x";
  for (const Unknown& unknown : {
           // Mail to others goes out either way.
           Unknown{R"("0":)" + local + R"(,"1":)" + asks, "'mx'", ""},
           Unknown{R"("0":)" + local + R"(,"1":)" + tries, "'provider'", ""},
           Unknown{R"("0":)" + asks + R"(,"1":)" + local, "'mx'",
                   "not proved: mail for a domain that lives only on the target is sent away from "
                   "it, unless that route keeps it"},
           Unknown{R"("0":)" + tries + R"(,"1":)" + local, "'mx'",
                   "not proved: mail for alice@example.org leaves the target by `provider`, a "
                   "route that no step makes, unless that route keeps it"},
           Unknown{R"("0":)" + local + R"(,"1":{"if":"true","then":"'provider'"})", "'mx'", ""},
           Unknown{
               R"("0":{"if":"sender_domain == 'example.org'","then":"'provider'"},"1":)" + local,
               "'mx'",
               "not proved: mail for alice@example.org leaves the target by `provider`, a "
               "route that no step makes, unless that route keeps it"},
           Unknown{R"("0":)" + local, "key_get('ways', dns_query(rcpt_domain,'mx'))",
                   "where mail to another domain goes cannot be told"},
       }) {
    std::string expression =
        fmt::format(R"({{"else":"{}","match":{{{}}}}})", unknown.otherwise, unknown.arms);
    for (const auto& [from, to] : {std::pair("%", "%25"), {" ", "%20"}, {",", "%2C"}}) {
      std::string out;
      for (const char c : expression) out += std::string(1, c) == from ? to : std::string(1, c);
      expression = std::move(out);
    }
    Broken kept;
    kept.lock_lines = {"setting target.MtaOutboundStrategy.route " + expression};
    const Compiled all = compiled(kept);
    EXPECT_TRUE(all.result.graph.has_value()) << "it is a warning\n" << rendered(all.result);
    std::set<std::string> claims;
    for (const Diagnostic& one : all.result.diagnostics) {
      if (one.kind != Kind::mail_flow_unproved) continue;
      claims.insert(one.message);
      EXPECT_TRUE(one.span.is_known());
      const std::string line = line_of(one, *all.result.sources);
      EXPECT_TRUE(line.starts_with("step target/strategy") ||
                  line.starts_with("step finalize/strategy"))
          << line;
      ASSERT_FALSE(one.help.empty());
      const std::string& help = one.help.front();
      EXPECT_TRUE(help.starts_with("put the conditions of the plan's domains in front") ||
                  help.starts_with("let a condition `is_local_domain(rcpt_domain)` give `'local'`"))
          << help;
    }
    if (unknown.claim.empty()) {
      EXPECT_TRUE(claims.empty()) << *claims.begin();
    } else {
      EXPECT_TRUE(claims.contains(unknown.claim)) << rendered(all.result);
    }
  }
}

}  // namespace
}  // namespace plan::test
