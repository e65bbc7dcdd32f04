// A look at the world in which servers do not answer: each is tried once, whatever steps ask it.
#include "runtime/command/observe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/net/http_client.h"
#include "runtime/net/stream.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/temp_dir.h"

namespace plan::command {
namespace {

using ir::Value;

class NoSecrets final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef& ref) override {
    ++reads;
    return Error(net::errors::login_refused, "there is no secret of " + ref.provider);
  }
  Result<ir::SecretRef> seal(const secret::Secret& /*secret*/) override { return ir::SecretRef(); }

  std::atomic<int> reads{0};
};

/// Two kinds of steps of each account, and who looks at them: `look` says what is there.
class Looker final : public step::StepDriver {
 public:
  using Look = std::function<Result<ir::Observation>(const step::StepContext&)>;
  explicit Looker(Look look) : look_(std::move(look)) {}
  Result<ir::Observation> observe(step::StepContext& context) override { return look_(context); }
  Result<Value> apply(step::StepContext& /*context*/) override { return Value(); }
  Outcome verify(step::StepContext& /*context*/) override { return {}; }
  Outcome undo(step::StepContext& /*context*/) override { return {}; }

 private:
  Look look_;
};

ir::StepGraph graph_of(int accounts) {
  ir::StepGraph graph;
  std::vector<std::uint32_t> shapes;
  for (const auto& [id, kind] : {std::pair("account/{}/create", ir::StepKind::admin_account),
                                 std::pair("account/{}/hold", ir::StepKind::proxy_hold)}) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.id_pattern = id;
    shape.arguments = Value::map({{"account", "x"}});
    shapes.push_back(graph.add_shape(std::move(shape)));
  }
  for (int i = 0; i < accounts; ++i) {
    const std::string name = fmt::format("user{}@example.org", i);
    const ir::RowId row = graph.add_row(name, Value::map({{"account", name}}), {});
    for (const std::uint32_t shape : shapes) (void)graph.add_step(shape, row, ir::WaveId::none);
  }
  EXPECT_FALSE(graph.freeze());
  return graph;
}

Observations look_at(const ir::StepGraph& graph, const Looker::Look& create,
                     const Looker::Look& hold, NoSecrets* secrets_to_count = nullptr) {
  step::DriverTable drivers;
  drivers.add(ir::StepKind::admin_account, std::make_shared<Looker>(create));
  drivers.add(ir::StepKind::proxy_hold, std::make_shared<Looker>(hold));
  NoSecrets none;
  NoSecrets& secrets = secrets_to_count == nullptr ? none : *secrets_to_count;
  const step::StopSignal stop;
  return observe_all({.graph = graph,
                      .drivers = drivers,
                      .secrets = secrets,
                      .clock = net::system_clock(),
                      .stop = stop});
}

std::set<std::string> reasons_in(const Observations& seen) {
  std::set<std::string> reasons;
  seen.by_step.for_each([&](std::uint32_t /*step*/, const ir::Observation& one) {
    reasons.insert(one.is_unseen ? one.remark : "seen");
  });
  return reasons;
}

TEST(ObserveAll, TriesAServerThatDoesNotAnswerOnce) {
  const ir::StepGraph graph = graph_of(1000);
  std::atomic<int> tries{0};
  std::atomic<int> looks{0};
  const auto look = [&](const step::StepContext& context) -> Result<ir::Observation> {
    ++looks;
    net::ConnectTurn turn("server:443");
    if (turn.refusal())
      return Error(*turn.refusal()).while_doing("looking at " + std::string(context.account));
    ++tries;
    Error error(net::errors::timed_out, "server:443 does not answer");
    turn.not_connected(error);
    return std::move(error).while_doing("looking at " + std::string(context.account));
  };
  const Observations seen = look_at(graph, look, look);
  EXPECT_EQ(looks, 2000);
  EXPECT_EQ(tries, 1);
  EXPECT_EQ(reasons_in(seen), std::set<std::string>{"server:443 does not answer [timed-out]"});
  // The next look tries again.
  (void)look_at(graph, look, look);
  EXPECT_EQ(tries, 2);
}

TEST(ObserveAll, AsksAServerThatAnsweredAsOftenAsItIsAsked) {
  const ir::StepGraph graph = graph_of(100);
  std::atomic<int> tries{0};
  const auto look = [&](const step::StepContext& /*context*/) -> Result<ir::Observation> {
    net::ConnectTurn turn("server:443");
    if (turn.refusal()) return Error(*turn.refusal());
    // The tenth request is not answered: that is its own matter.
    const Error late(net::errors::timed_out, "no answer in time");
    if (++tries == 10) {
      turn.not_answered(late);
      return late;
    }
    turn.answered();
    return ir::Observation{};
  };
  (void)look_at(graph, look, look);
  EXPECT_EQ(tries, 200);
}

TEST(ObserveAll, TellsOfEachKindOfConnectionThatNothingAnswersThere) {
  const test::TempDir folder;
  auto listener = net::listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  const std::uint16_t port = (*listener)->port();
  listener->reset();
  net::HttpOptions options;
  options.url = fmt::format("http://127.0.0.1:{}", port);
  auto client = net::make_http_client(std::move(options));
  ASSERT_TRUE(client) << client.error().to_line();
  const auto target = [&](const step::StepContext& context) -> Result<ir::Observation> {
    auto answer = (*client)->send({});
    if (!answer) return std::move(answer).error().while_doing(std::string(context.account));
    return ir::Observation{};
  };
  const auto proxy = [&](const step::StepContext& context) -> Result<ir::Observation> {
    auto stream = net::connect_unix(folder.file("control.sock"),
                                    net::Deadline::after(std::chrono::seconds(1)));
    if (!stream) return std::move(stream).error().while_doing(std::string(context.account));
    return ir::Observation{};
  };
  const std::set<std::string> reasons = reasons_in(look_at(graph_of(20), target, proxy));
  ASSERT_EQ(reasons.size(), 2U);
  for (const std::string& reason : reasons)
    EXPECT_TRUE(reason.ends_with("[connection-refused]")) << reason;
}

TEST(ObserveAll, AsksAServerThatTakesConnectionsAndSaysNothingOnce) {
  test::FakeHttpServer server([](const test::FakeRequest&) {
    test::FakeAnswer answer;
    answer.fault = test::FakeAnswer::Fault::stall;
    answer.claimed_length = 5;
    return answer;
  });
  net::HttpOptions options;
  options.url = server.url();
  options.stall_timeout = std::chrono::milliseconds(100);
  auto client = net::make_http_client(std::move(options));
  ASSERT_TRUE(client) << client.error().to_line();
  const auto look = [&](const step::StepContext& /*context*/) -> Result<ir::Observation> {
    auto answer = (*client)->send({});
    if (!answer) return std::move(answer).error();
    return ir::Observation{};
  };
  const std::set<std::string> reasons = reasons_in(look_at(graph_of(20), look, look));
  EXPECT_EQ(server.requests().size(), 1U);
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_TRUE(reasons.begin()->ends_with("[timed-out]")) << *reasons.begin();
}

/// The slow request goes over a connection that was used before.
TEST(ConnectOnce, IsNotEndedByOneSlowRequestToAServerThatAnswered) {
  std::size_t asked = 0;
  test::FakeHttpServer server([&](const test::FakeRequest&) {
    test::FakeAnswer answer;
    if (++asked != 2) return answer;
    answer.fault = test::FakeAnswer::Fault::stall;
    answer.claimed_length = 5;
    return answer;
  });
  net::HttpOptions options;
  options.url = server.url();
  auto client = net::make_http_client(std::move(options));
  ASSERT_TRUE(client) << client.error().to_line();
  net::ConnectOnce look;
  const net::ConnectOnce::OfThread of_look(&look);
  net::HttpRequest request;
  EXPECT_TRUE((*client)->send(request));
  request.deadline = net::Deadline::after(std::chrono::milliseconds(80));
  EXPECT_FALSE((*client)->send(request));
  EXPECT_EQ(server.connections(), 1U);
  request.deadline = net::Deadline::never();
  const auto third = (*client)->send(request);
  EXPECT_TRUE(third) << third.error().to_line();
}

TEST(ObserveAll, RunsAProgramThatGivesNoSecretOnce) {
  NoSecrets secrets;
  const auto look = [](const step::StepContext& context) -> Result<ir::Observation> {
    auto secret = context.secrets.read(ir::SecretRef{"command", "vault read x"});
    if (!secret) return std::move(secret).error();
    return ir::Observation{};
  };
  const Observations seen = look_at(graph_of(100), look, look, &secrets);
  EXPECT_EQ(secrets.reads, 1);
  EXPECT_EQ(reasons_in(seen),
            std::set<std::string>{"there is no secret of command [login-refused]"});
}

TEST(ConnectOnce, IsOfTheThreadsThatTakePartInIt) {
  net::ConnectOnce look;
  const Error silent(net::errors::connection_refused, "nothing there");
  {
    const net::ConnectOnce::OfThread of_look(&look);
    net::ConnectTurn first("a");
    first.not_connected(silent);
    EXPECT_TRUE(net::ConnectTurn("a").refusal());
    EXPECT_FALSE(net::ConnectTurn("b").refusal());
    EXPECT_FALSE(net::ConnectTurn("b").refusal()) << "a try that found out nothing is no answer";
  }
  EXPECT_FALSE(net::ConnectTurn("a").refusal()) << "a run tries as often as it wants";
}

}  // namespace
}  // namespace plan::command
