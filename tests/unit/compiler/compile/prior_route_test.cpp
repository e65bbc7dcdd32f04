// std/split-delivery puts its conditions in front of those that the target has, in their order, and
// finalize puts the target's own back; also where the lock was fetched in the middle of a
// migration.
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

}  // namespace
}  // namespace plan::test
