// A plan whose source is a Stalwart 0.15: what it may say, what it becomes, and what is found when
// a part of it is missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "compiler/ir/digest.h"
#include "embedded/stdlib_modules.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

using ir::Value;
using Changes = std::vector<std::pair<std::string, std::string>>;

CompileResult head_with(const Changes& changes) {
  CompileInput input;
  input.plan_text = read_all(test::repository() / "plans/stalwart-15.yaml");
  for (const auto& [was, is] : changes) {
    const std::size_t at = input.plan_text.find(was);
    EXPECT_NE(at, std::string::npos) << was;
    if (at != std::string::npos) input.plan_text.replace(at, was.size(), is);
  }
  return read_plan_head(std::move(input));
}

TEST(OldStalwartPlan, IsFetched) {
  const CompileResult head = head_with({});
  EXPECT_TRUE(head.diagnostics.empty()) << rendered(head);
  ASSERT_TRUE(head.plan.has_value());
  const Value& source = head.plan->connections["source"];
  EXPECT_EQ(source["kind"], Value("stalwart-0.15"));
  EXPECT_EQ(source["master_user"]["separator"], Value("%"));
  EXPECT_EQ(source["stalwart"]["url"], Value("https://old.example.org"));
  EXPECT_EQ(source["stalwart"]["certificate_sha256"], Value(""));
  EXPECT_EQ(source["stalwart"]["target_name"], Value("new.example.org"));
  EXPECT_EQ(source["listener"]["address"], Value("203.0.113.20"));
  EXPECT_EQ(source["listener"]["port"], Value(10025));
  for (const char* other : {"dovecot", "postfix", "export"})
    EXPECT_TRUE(source[other].is_null()) << other;
}

TEST(OldStalwartPlan, OfAnotherSourceHasNothingOfIt) {
  CompileInput input;
  input.plan_text = read_all(test::repository() / "plans/dovecot-postfix.yaml");
  const CompileResult head = read_plan_head(std::move(input));
  ASSERT_TRUE(head.plan.has_value()) << rendered(head);
  const Value& source = head.plan->connections["source"];
  EXPECT_EQ(source["kind"], Value("dovecot-postfix"));
  EXPECT_TRUE(source["stalwart"].is_null());
  EXPECT_EQ(source["master_user"]["separator"], Value("*"));
}

TEST(OldStalwartPlan, SaysWhatDoesNotGoTogether) {
  const std::vector<std::pair<Changes, std::string>> cases = {
      {{{"use: std/stalwart-0.15", "use: std/dovecot-postfix"}},
       "the source is a Stalwart, and `std/dovecot-postfix` is for others"},
      {{{"name: master,", "name: master, separator: \"*\","}},
       "the master user of a Stalwart is let in as `ACCOUNT%MASTER`"},
      {{{"  smtp: {port: 25}", "  postfix: {config_directory: /etc/postfix}"}},
       "the source is a Stalwart, and `postfix` is of Dovecot and Postfix"},
      {{{"from: {stalwart: principals}", "from: {passwd_file: /etc/dovecot/users}"}},
       "the source is a Stalwart, which has no passwd-file"},
      {{{"from: {stalwart: principals}", "from: {stalwart: everybody}"}}, "everybody"},
      {{{"  stalwart:\n    url:", "  dovecot:\n    config:"},
        {"    login: {user: admin, password: !secret file:secrets/old-admin}\n", ""},
        {"https://old.example.org ", "/etc/dovecot/dovecot.conf "}},
       "`stalwart` is missing in `source`"},
      {{{"  stalwart:\n    url:", "  stalwart:\n    #"},
        {"    login: {user: admin, password: !secret file:secrets/old-admin}\n", ""}},
       "`stalwart` of `source` is empty"},
      {{{"    url: https://old.example.org ", "    # "}}, "`url` is missing"},
      {{{"url: https://new.example.org", "url: https://203.0.113.30"}},
       "the old server would hand mail on to `203.0.113.30`"},
      {{{"  stalwart:\n", "  stalwart:\n    target_name: 203.0.113.30\n"}},
       "the old server would hand mail on to `203.0.113.30`"},
      {{{"target: 203.0.113.30", "target: new.example.org"}},
       "`new.example.org` is a name, and the old server is told IP addresses"},
      {{{"  stalwart:\n", "  stalwart:\n    allowed: [plan.example.org]\n"}},
       "`plan.example.org` in `allowed` is no IP address"},
  };
  for (const auto& [changes, words] : cases) {
    const CompileResult head = head_with(changes);
    EXPECT_TRUE(head.has_errors()) << words;
    EXPECT_NE(rendered(head).find(words), std::string::npos) << words << "\n" << rendered(head);
  }
}

TEST(OldStalwartPlan, MayNameItsSeparatorAndTheTarget) {
  const CompileResult head =
      head_with({{"name: master,", "name: master, separator: \"%\","},
                 {"url: https://new.example.org", "url: https://203.0.113.30"},
                 {"  stalwart:\n", "  stalwart:\n    target_name: mx.new.example.org\n"}});
  EXPECT_FALSE(head.has_errors()) << rendered(head);
}

/// tests/golden/lower/old-stalwart with some texts of the modules of std replaced.
struct Edit {
  std::string_view file = {};
  std::string from = {};
  std::string to = {};
};

/// The lock of the case with a Bob who is as Alice is, with an alias.
std::string with_bob_alike(std::string lock) {
  const std::string was = "account bob@example.org hash=PLAIN";
  const std::size_t at = lock.find(was);
  EXPECT_NE(at, std::string::npos) << lock;
  if (at == std::string::npos) return lock;
  lock.replace(at, was.size(), "account bob@example.org aliases=sales@example.org hash=CRYPT:$6$");
  lock.erase(lock.find("\ndigest ") + 1);
  return lock + "digest " + ir::sha256(lock).hex() + "\n";
}

CompileResult compiled(const std::vector<Edit>& edits, bool is_bob_alike = false) {
  std::deque<std::string> texts;
  std::vector<EmbeddedFile> modules;
  std::size_t found = 0;
  for (const EmbeddedFile& module : embedded::stdlib_modules()) {
    std::string& text = texts.emplace_back(module.text);
    for (const Edit& edit : edits) {
      if (edit.file != module.name) continue;
      const std::size_t at = text.find(edit.from);
      EXPECT_NE(at, std::string::npos) << edit.from;
      if (at == std::string::npos) continue;
      text.replace(at, edit.from.size(), edit.to);
      ++found;
    }
    modules.push_back({module.name, text});
  }
  EXPECT_EQ(found, edits.size());
  auto golden = read_golden_case(test::repository() / "tests/golden/lower/old-stalwart");
  golden->input.stdlib = modules;
  if (is_bob_alike) golden->input.lock_text = with_bob_alike(*golden->input.lock_text);
  return compile(std::move(golden->input));
}

std::size_t place_of(const ir::StepGraph& graph, const std::string& id) {
  const auto step = graph.find(id);
  EXPECT_TRUE(step.has_value()) << id;
  if (!step) return 0;
  return static_cast<std::size_t>(std::find(graph.order().begin(), graph.order().end(), *step) -
                                  graph.order().begin());
}

TEST(OldStalwartPlan, MovesAccountsInTheOrderOfTheOthers) {
  const CompileResult result = compiled({});
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  const ir::StepGraph& graph = *result.graph;
  const std::vector<std::string> order = {
      "source/listener",      "source/senders",  "source/route",     "proxies/ready",
      "point/before-cutover", "cutover/address", "source/restarted", "wave/canary/begin"};
  for (std::size_t i = 1; i < order.size(); ++i)
    EXPECT_LT(place_of(graph, order[i - 1]), place_of(graph, order[i])) << order[i];
  const std::vector<std::string> steps = {"create",  "copy",  "hold-mail", "hold",    "freeze",
                                          "delta",   "grade", "keys",      "forward", "probe-mail",
                                          "release", "flush", "sweep"};
  for (std::size_t i = 1; i < steps.size(); ++i) {
    EXPECT_LT(place_of(graph, "account/alice@example.org/" + steps[i - 1]),
              place_of(graph, "account/alice@example.org/" + steps[i]))
        << steps[i];
  }
  const auto argument = [&](const char* id, const char* name) {
    return graph.argument(*graph.find(id), name);
  };
  // Every name that logs in is held; only addresses are keys of lists.
  EXPECT_EQ(argument("account/alice@example.org/hold", "addresses"),
            Value::list({"alice@example.org", "info@example.org", "alice"}));
  EXPECT_EQ(argument("account/alice@example.org/hold-mail", "addresses"),
            Value::list({"alice@example.org", "info@example.org"}));
  EXPECT_EQ(argument("account/alice@example.org/forward", "next_hop"),
            Value("smtp:[new.example.org]:25"));
  EXPECT_EQ(argument("source/listener", "trusted"), Value::list({"203.0.113.10"}));
  std::vector<std::string> allowed;
  const Value senders = argument("source/senders", "values");
  for (const Value& one : senders.items()) allowed.emplace_back(one["key"].string_or(""));
  EXPECT_EQ(allowed, (std::vector<std::string>{"server.allowed-ip.203.0.113.30",
                                               "server.allowed-ip.203.0.113.10",
                                               "server.allowed-ip.203.0.113.40"}));
  EXPECT_FALSE(graph.find("finalize/listener").has_value()) << "that one is its operator's";
}

struct Broken {
  std::string name = {};
  std::vector<Edit> edits = {};
  Kind kind = {};
  std::string words = {};
  bool is_bob_alike = false;  ///< and in the class of Alice, but for what is broken
};

constexpr std::string_view kMove = "stalwart-account-move.plan";
constexpr std::string_view kWay = "stalwart-source.plan";

/// The text of one step of a module, with the blank line behind it.
std::string step_of(std::string_view file, const std::string& id) {
  for (const EmbeddedFile& module : embedded::stdlib_modules()) {
    if (module.name != file) continue;
    const std::size_t begin = module.text.find("step " + id + " ");
    EXPECT_NE(begin, std::string_view::npos) << id;
    const std::size_t end = module.text.find("\n}\n", begin);
    return std::string(module.text.substr(begin, end + 3 - begin));
  }
  ADD_FAILURE() << file;
  return {};
}

std::vector<Broken> broken_plans() {
  const std::string forward = step_of(kMove, "account/{}/forward");
  const std::string freeze = step_of(kMove, "account/{}/freeze");
  const std::string hold = step_of(kMove, "account/{}/hold-mail");
  const std::string tagged = "matches('^([^+@]+)[+][^@]*(@.+)$', rcpt) && ";
  return {
      {"no forward",
       {{kMove, forward, ""}, {kMove, "after = [account/{}/forward]", "after = [account/{}/keys]"}},
       Kind::mail_flow,
       "holds mail at the source, and no step sends it to the target"},
      {"forward before the hold",
       {{kMove, "after = [account/{}/keys]", "after = [account/{}/copy]"},
        {kMove,
         "after = [account/{}/copy]\n  account = account.address\n  addresses = "
         "account.addresses\n  list = \"plan-held\"",
         "after = [account/{}/forward]\n  account = account.address\n  addresses = "
         "account.addresses\n  list = \"plan-held\""}},
       Kind::mail_flow,
       "goes round between the two servers until it bounces"},
      {"no hold",
       {{kMove, hold, ""}, {kMove, "[account/{}/hold-mail]", "[account/{}/copy]"}},
       Kind::mail_flow,
       "reaches the old mailbox after the last copy of it was made"},
      {"list misspelt in the hold",
       {{kMove, "list = \"plan-held\"", "list = \"plan-hold\""}},
       Kind::delta_without_hold,
       "holds nothing: the old server does not read `plan-hold`"},
      {"list misspelt in the forward",
       {{kMove, "list = \"plan-moved\"", "list = \"plan-gone\""}},
       Kind::mail_flow,
       "still waits when all steps of its move are done"},
      {"list misspelt in the forward, told at the forward",
       {{kMove, "list = \"plan-moved\"", "list = \"plan-gone\""}},
       Kind::mail_flow,
       "forwards nothing: the old server does not read the list `plan-gone`"},
      {"list misspelt in the expression",
       {{kWay, "{ if = \"key_exists('plan-held', rcpt)\"", "{ if = \"key_exists('held', rcpt)\""}},
       Kind::mail_flow,
       "reaches the old mailbox after the last copy of it was made"},
      {"sub-addresses forgotten",
       {{kWay, tagged + "key_exists('plan-moved', $1 + $2)", "key_exists('plan-moved', rcpt)"}},
       Kind::mail_flow,
       "mail for alice+tag@example.org still waits when all steps of its move are done"},
      {"sub-addresses not held",
       {{kWay, tagged + "key_exists('plan-held', $1 + $2)", "key_exists('plan-held', rcpt)"}},
       Kind::mail_flow,
       "mail for alice@example.org reaches the old mailbox"},
      {"route to another port",
       {{kWay, "{ key = \"queue.route.plan-new.port\", value = text(target_port) }",
         "{ key = \"queue.route.plan-new.port\", value = \"2525\" }"}},
       Kind::mail_flow,
       "mail for alice@example.org does not reach alice@example.org"},
      {"route to an IP address",
       {{kWay, "{ key = \"queue.route.plan-new.address\", value = target_name }",
         "{ key = \"queue.route.plan-new.address\", value = \"203.0.113.30\" }"}},
       Kind::mail_flow,
       "is bounced"},
      {"route that begins with TLS, as it does unless it is told",
       {{kWay, "    { key = \"queue.route.plan-new.tls.implicit\", value = \"false\" },\n", ""}},
       Kind::mail_flow,
       "mail for alice@example.org still waits when all steps of its move are done"},
      {"expression that the old server cannot read",
       {{kWay, "is_local_domain('*', rcpt_domain)", "is_local_domain(rcpt_domain)"}},
       Kind::mail_flow,
       "`is_local_domain` takes 2 arguments, 1 is given"},
      {"no freeze",
       {{kMove, freeze, ""}, {kMove, "after = [account/{}/freeze]", "after = [account/{}/hold]"}},
       Kind::delta_without_hold,
       "is made before `source.freeze`"},
      {"freeze behind the last copy",
       {{kMove, "after = [account/{}/freeze]", "after = [account/{}/hold]"}},
       Kind::delta_without_hold,
       "is made before `source.freeze`"},
      {"last copy behind the first",
       {{kMove, "after = [account/{}/freeze]", "after = [account/{}/copy]"}},
       Kind::delta_without_hold,
       "is made before `proxy.hold`, `source.hold`, `source.freeze`"},
      {"comparison of the first copy",
       {{kMove, "after = [account/{}/delta]", "after = [account/{}/copy]"}},
       Kind::flip_before_delta,
       "`account/alice@example.org/keys` gives the account to the target before its last copy"},
      {"cutover before the route",
       {{kWay, "  before = [proxies/ready]\n", ""}},
       Kind::mail_flow,
       "reaches the old mailbox after the last copy of it was made"},
      {"listener behind the cutover",
       {{"stalwart-0.15.plan", "  stage = prepare\n  before = [source/senders]\n",
         "  stage = cutover\n  after = [cutover/address]\n"},
        {"cutover.plan", "after = [source/listener, target/domain/{}]",
         "after = [target/domain/{}]"}},
       Kind::header_before_listener,
       "the proxies send their header"},
  };
}

constexpr std::string_view kWhole = "stalwart-0.15.plan";

/// A cutover for which the old server is not ready.
std::vector<Broken> unready_plans() {
  const std::string listener = step_of(kWhole, "source/listener");
  const std::string restarted = step_of(kWhole, "source/restarted");
  const std::string login = "      key = \"session.auth.require\"\n";
  const std::string elsewhere =
      "        { if = elsewhere, then = \"true\" },\n        { else = \"false\" },\n";
  const std::string spared =
      "[\n      { key = \"server.allowed-ip.${ip}\", value = \"\" },\n    ],\n";
  return {
      {"no listener looked for",
       {{kWhole, listener, ""},
        {"cutover.plan", "after = [source/listener, target/domain/{}]",
         "after = [target/domain/{}]"}},
       Kind::header_before_listener,
       "no step has looked for the old server's listener that takes their header"},
      {"another port looked for",
       {{kWhole, "port = source.listener.port\n  trusted", "port = 25\n  trusted"}},
       Kind::header_before_listener,
       "looks for a listener at 203.0.113.20, port 25, and the proxies bring mail to "
       "203.0.113.20, port 10025"},
      {"another address looked for",
       {{kWhole, "address = source.listener.address", "address = \"203.0.113.21\""}},
       Kind::header_before_listener,
       "looks for a listener at 203.0.113.21"},
      {"another proxy trusted",
       {{kWhole, "trusted = [addresses.proxy]", "trusted = [\"203.0.113.11\"]"}},
       Kind::header_before_listener,
       "does not ask for trust in the proxies, which are at 203.0.113.10"},
      {"no restart",
       {{kWhole, restarted, ""}},
       Kind::delta_without_hold,
       "leaves sessions from before `cutover/address` alive, which go on writing"},
      {"a restart before the cutover",
       {{kWhole, "after = [cutover/address]\n  before = [wave/{}/begin]",
         "before = [cutover/address]"}},
       Kind::delta_without_hold,
       "leaves sessions from before `cutover/address` alive, which go on writing"},
      {"no rule on logins",
       {{kWay, login, "      key = \"session.auth.must-match-sender\"\n"}},
       Kind::procedure_broken,
       "brings mail to port 10025 of the old server, which wants a login at every port but 25"},
      {"a login at the port of the proxies",
       {{kWay, login + "      rules = [\n" + elsewhere,
         login + "      rules = [\n        { if = \"local_port != 25\", then = \"true\" },\n"
                 "        { else = \"false\" },\n"}},
       Kind::procedure_broken,
       "lets the old server ask for a login at port 10025"},
      {"the target may be banned",
       {{kWay, "    for ip in target_ips " + spared, ""}},
       Kind::procedure_broken,
       "comes before the old server is told never to ban 203.0.113.30"},
      {"the proxies may be banned",
       {{kWay, "    for ip in proxies " + spared, ""}},
       Kind::procedure_broken,
       "comes before the old server is told never to ban 203.0.113.10"},
  };
}

/// What one account's steps say and not another's, and what goes to the wrong machine.
std::vector<Broken> misled_plans() {
  const std::string own = "  account = account.address\n  addresses = account.addresses\n";
  const std::string alice = "  account = \"alice@example.org\"\n  addresses = account.addresses\n";
  const std::string last = "step finalize/source-limits";
  const std::string step =
      " : source.settings {\n  stage = prepare\n  before = [proxies/ready]\n  url = url\n"
      "  user = user\n  password = password\n  certificate_sha256 = certificate_sha256\n";
  const std::string hop =
      "next_hop = \"smtp:[${source.stalwart.target_name}]:${target.smtp.port}\"";
  const std::string new_address = "{ key = \"queue.route.plan-new.address\", value = ";
  return {
      {"one account held in another list",
       {{kMove, "list = \"plan-held\"",
         "list = choose(account.address == 'bob@example.org', \"plan-nix\", \"plan-held\")"}},
       Kind::delta_without_hold,
       "holds nothing: the old server does not read `plan-nix`",
       true},
      {"one account forwarded by another list",
       {{kMove, "list = \"plan-moved\"",
         "list = choose(account.address == 'bob@example.org', \"plan-nix\", \"plan-moved\")"}},
       Kind::mail_flow,
       "mail for bob@example.org still waits when all steps of its move are done",
       true},
      {"one account's alias not forwarded",
       {{kMove, "after = [account/{}/keys]\n" + own,
         "after = [account/{}/keys]\n  account = account.address\n  addresses = "
         "choose(account.address == 'alice@example.org', account.addresses, [account.address])\n"}},
       Kind::mail_flow,
       "mail for sales@example.org still waits when all steps of its move are done",
       true},
      {"one account's hold names another's address",
       {{kMove, "after = [account/{}/copy]\n" + own,
         "after = [account/{}/copy]\n  account = account.address\n  addresses = "
         "choose(account.address == 'bob@example.org', ['alice@example.org'], "
         "account.addresses)\n"}},
       Kind::delta_without_hold,
       "is a step of bob@example.org and names `alice@example.org`",
       true},
      {"everybody's freeze is Alice's",
       {{kMove, "after = [account/{}/hold]\n" + own, "after = [account/{}/hold]\n" + alice}},
       Kind::delta_without_hold,
       "is a step of bob@example.org and names the account `alice@example.org`",
       true},
      {"old mailboxes opened again behind the move",
       {{kMove, "step account/{}/delta",
         "step opened/{} for account in accounts : restore {\n  stage = waves\n"
         "  after = [account/{}/sweep]\n  step = \"account/${account.address}/freeze\"\n}\n\n"
         "step account/{}/delta"}},
       Kind::delta_without_hold,
       "opens the old mailbox of `alice@example.org` again"},
      {"everybody's last copy is Alice's",
       {{kMove, "after = [account/{}/freeze]\n" + own, "after = [account/{}/freeze]\n" + alice}},
       Kind::move_unproved,
       "is a step of bob@example.org and names the account `alice@example.org`",
       true},
      {"clients of nobody held",
       {{kMove, "addresses = account.logins\n  bound_ms", "addresses = []\n  bound_ms"}},
       Kind::delta_without_hold,
       "holds nobody who logs in as `alice`"},
      {"a login that is no address not held",
       {{kMove, "addresses = account.logins\n  bound_ms",
         "addresses = account.addresses\n  bound_ms"}},
       Kind::delta_without_hold,
       "holds nobody who logs in as `alice`"},
      {"a hold at a port that takes mail",
       {{kWay, "input hold_port : integer = 9", "input hold_port : integer = 587"}},
       Kind::mail_flow,
       "mail for alice@example.org does not reach alice@example.org"},
      {"a hold at another machine",
       {{kWay, "{ key = \"queue.route.plan-hold.address\", value = target_name }",
         "{ key = \"queue.route.plan-hold.address\", value = \"mail.example.org\" }"}},
       Kind::mail_flow,
       "mail for alice@example.org does not reach alice@example.org"},
      {"a next hop that is the old server",
       {{kMove, hop, "next_hop = \"smtp:[old.example.org]:25\""},
        {kWay, new_address + "target_name }", new_address + "\"old.example.org\" }"}},
       Kind::relay_own_address,
       "forwards to `old.example.org`, which is the source itself"},
      {"a next hop that is a third machine",
       {{kMove, hop, "next_hop = \"smtp:[mx.elsewhere.test]:25\""},
        {kWay, new_address + "target_name }", new_address + "\"mx.elsewhere.test\" }"}},
       Kind::leads_elsewhere,
       "forwards to `mx.elsewhere.test`, which is not the target"},
      {"two writers in no order",
       {{kWay, last,
         "step source/second" + step +
             "  blocks = [\n    {\n      key = \"queue.strategy.route\"\n      rules = [\n"
             "        { if = \"is_local_domain('*', rcpt_domain)\", then = \"'local'\" },\n"
             "        { else = \"'mx'\" },\n      ]\n    },\n  ]\n}\n\n" +
             last}},
       Kind::mail_flow,
       "writes `queue.strategy.route`, and so does"},
      {"the first of two writers put back",
       {{kWay, last,
         "step source/again" + step +
             "  after = [source/route]\n  values = [\n"
             "    { key = \"queue.route.plan-new.port\", value = text(target_port) },\n  ]\n}\n\n"
             "step source/back : restore {\n  stage = waves\n  after = [cutover/address]\n"
             "  step = \"source/route\"\n}\n\n" +
             last}},
       Kind::mail_flow,
       "as it was before `source/route`, and `source/again` has written it since"},
      {"a key of somebody in the list of those who have moved",
       {{kWay, "    { key = \"queue.route.plan-new.type\", value = \"relay\" },\n",
         "    { key = \"queue.route.plan-new.type\", value = \"relay\" },\n"
         "    { key = \"lookup.plan-moved.bob@example.org\", value = \"1\" },\n"}},
       Kind::mail_flow,
       "mail for team@example.org goes round between the two servers until it bounces",
       true},
      {"a pattern that picks one account",
       {{kWay, "        { if = \"key_exists('plan-moved', rcpt)\"",
         "        { if = \"matches('^b', rcpt)\", then = \"'mx'\" },\n"
         "        { if = \"key_exists('plan-moved', rcpt)\""}},
       Kind::mail_flow,
       "mail for team@example.org is sent to the public MX",
       true},
      {"somebody in a list from the start",
       {{kWay, "  list = \"plan-moved\"\n",
         "  list = \"plan-moved\"\n  members = [\"bob@example.org\"]\n"}},
       Kind::mail_flow,
       "mail for team@example.org goes round between the two servers until it bounces",
       true},
      {"the expression in single settings",
       {{kWay, "    { key = \"queue.route.plan-new.type\", value = \"relay\" },\n",
         "    { key = \"queue.route.plan-new.type\", value = \"relay\" },\n"
         "    { key = \"queue.strategy.route.0.if\", value = \"true\" },\n"}},
       Kind::mail_flow,
       "`queue.strategy.route.0.if` is written as a single setting"},
  };
}

TEST(OldStalwartPlan, MayListenWhereItDidAndTrustANetwork) {
  const CompileResult result = compiled(
      {{kWhole, "trusted = [addresses.proxy]", "trusted = [\"203.0.113.0/24\"]"},
       {kWhole, "address = source.listener.address", "address = \"[::]\""},
       {kWay, "    for ip in proxies [\n      { key = \"server.allowed-ip.${ip}\", value = \"\" },",
        "    for ip in proxies [\n      { key = \"server.allowed-ip.203.0.113.0/28\", value = "
        "\"\" },"}});
  EXPECT_TRUE(result.graph.has_value()) << rendered(result);
}

TEST(OldStalwartPlan, MovesTwoAccountsThatAreAlike) {
  const CompileResult result = compiled({}, true);
  EXPECT_TRUE(result.graph.has_value()) << rendered(result);
}

TEST(OldStalwartPlan, IsNotTakenWithAPartMissing) {
  std::vector<Broken> all = broken_plans();
  for (Broken& misled : misled_plans()) all.push_back(std::move(misled));
  for (Broken& unready : unready_plans()) all.push_back(std::move(unready));
  for (const Broken& broken : all) {
    const CompileResult result = compiled(broken.edits, broken.is_bob_alike);
    EXPECT_FALSE(result.graph.has_value()) << broken.name;
    EXPECT_TRUE(std::any_of(result.diagnostics.begin(), result.diagnostics.end(),
                            [&](const Diagnostic& one) {
                              return one.kind == broken.kind && one.severity == Severity::error &&
                                     one.message.find(broken.words) != std::string::npos;
                            }))
        << broken.name << "\n"
        << rendered(result);
  }
}

TEST(OldStalwartPlan, SomebodyWhoseMailIsHeldBeforeTheCopyIsTold) {
  const std::string last = "step finalize/source-limits";
  const auto early = [&](const std::string& back) {
    const CompileResult result = compiled(
        {{kWay, last,
          "step source/early : source.settings {\n  stage = prepare\n  after = [source/route]\n"
          "  before = [proxies/ready]\n  url = url\n  user = user\n  password = password\n"
          "  certificate_sha256 = certificate_sha256\n  values = [\n"
          "    { key = \"lookup.plan-held.bob@example.org\", value = \"1\" },\n  ]\n}\n\n" +
              back + last}},
        true);
    // Nothing lets it go when the account is given back.
    EXPECT_EQ(result.graph.has_value(), !back.empty()) << rendered(result);
    return std::any_of(
        result.diagnostics.begin(), result.diagnostics.end(), [&](const Diagnostic& one) {
          return one.kind == Kind::step_before_its_stage && one.severity == Severity::warning &&
                 one.message ==
                     "`source/early` holds the mail of `bob@example.org` before its mailbox is "
                     "copied";
        });
  };
  EXPECT_TRUE(early(""));
  EXPECT_FALSE(
      early("step source/let-go : restore {\n  stage = prepare\n  after = [source/early]\n"
            "  before = [proxies/ready]\n  step = \"source/early\"\n}\n\n"));
}

}  // namespace
}  // namespace plan::test
