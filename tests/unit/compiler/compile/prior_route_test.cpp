// std/split-delivery puts its conditions in front of those that the target has, in their order, and
// finalize puts the target's own back; also where the lock was fetched in the middle of a
// migration. The same of what std/target-preparation puts in front of a throttle's condition.
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

std::string route_of(const CompileResult& result, std::string_view step) {
  const auto found = result.graph ? result.graph->find(step) : std::nullopt;
  return found ? ir::canonical_json(result.graph->arguments(*found)["set"]["route"])
               : rendered(result);
}

TEST(PriorRoute, IsKeptBehindTheProceduresOwnAndPutBack) {
  for (const char* name : {"near-miss", "near-miss-midway"}) {
    auto golden_case = read_golden_case(test::repository() /
                                        "tests/golden/diagnostics/outgoing-relay-lost" / name);
    const CompileResult result = compile(std::move(golden_case->input));
    EXPECT_EQ(
        route_of(result, "target/strategy"),
        R"x({"else":"'provider'","match":{)x"
        R"x("0":{"if":"rcpt_domain == 'example.org' && is_local_address(to_lowercase(rcpt)) )x"
        R"x(&& key_exists('migrated', to_lowercase(rcpt))","then":"'local'"},)x"
        R"x("1":{"if":"rcpt_domain == 'example.org'","then":"'source'"},)x"
        R"x("2":{"if":"sender_domain == 'example.org'","then":"'provider'"},)x"
        R"x("3":{"if":"is_local_domain(rcpt_domain)","then":"'local'"}}})x")
        << name;
    EXPECT_EQ(route_of(result, "finalize/strategy"),
              R"x({"else":"'provider'","match":{)x"
              R"x("0":{"if":"sender_domain == 'example.org'","then":"'provider'"},)x"
              R"x("1":{"if":"is_local_domain(rcpt_domain)","then":"'local'"}}})x")
        << name;
  }
}

/// What a step writes to the throttle of this name as its condition.
std::string condition_by(const CompileResult& result, std::string_view step) {
  const auto found = result.graph ? result.graph->find(step) : std::nullopt;
  return found ? ir::canonical_json(result.graph->arguments(*found)["set"]["match"])
               : rendered(result);
}

TEST(PriorThrottle, OfAMigrationThatReplacedItIsTheServersOwn) {
  auto golden_case = read_golden_case(
      test::repository() / "tests/golden/diagnostics/mail-flow-unproved/hit-throttle-midway");
  const CompileResult result = compile(std::move(golden_case->input));
  const std::string source =
      R"x({"if":"remote_ip == '203.0.113.20' || remote_ip == '203.0.113.21'","then":"false"})x";
  EXPECT_EQ(condition_by(result, "target/throttle/Midway"),
            R"x({"else":"true","match":{"0":)x" + source + "}}");
  EXPECT_EQ(condition_by(result, "finalize/throttle/Midway"), R"x({"else":"true","match":{}})x");
  EXPECT_EQ(condition_by(result, "target/throttle/Own"),
            R"x({"else":"remote_ip != '198.51.100.7'","match":{"0":)x" + source + "}}");
  EXPECT_EQ(condition_by(result, "finalize/throttle/Own"),
            R"x({"else":"remote_ip != '198.51.100.7'","match":{}})x");
}

}  // namespace
}  // namespace plan::test
