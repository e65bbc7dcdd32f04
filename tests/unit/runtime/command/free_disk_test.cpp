// Whose disk is measured: never that of plan's own machine for another one's.
#include "runtime/command/free_disk.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace plan::command {
namespace {

using ir::Value;

facts::Measurement source_of(const Value& source) {
  const test::TempDir folder;
  const Value connections =
      Value::map({{"source", source},
                  {"target", Value::map({{"address", "203.0.113.30"}, {"host", Value::map()}})}});
  for (const facts::Measurement& one :
       measure_free_disks(folder.path().string(), folder.path().string(), connections, "now")) {
    if (one.what == "disk/source/free") return one;
  }
  ADD_FAILURE() << "the source's disk is not among them";
  return {};
}

Value old_stalwart(const char* address) {
  return Value::map({{"kind", "stalwart-0.15"},
                     {"address", address},
                     {"host", Value::map()},
                     {"stalwart", Value::map({{"url", "https://old.example.org"}})}});
}

TEST(FreeDisk, OfAnOldStalwartIsNotThatOfThisMachine) {
  const facts::Measurement elsewhere = source_of(old_stalwart("203.0.113.20"));
  EXPECT_TRUE(elsewhere.value.is_null());
  EXPECT_EQ(elsewhere.how,
            "the plan does not say how the source's machine is reached (`hosts: source`)");
  EXPECT_TRUE(source_of(old_stalwart("127.0.0.1")).value.is_integer()) << "it is this machine";
}

TEST(FreeDisk, OfADovecotIsThatOfThisMachineUnlessThePlanSaysOtherwise) {
  const Value dovecot = Value::map({{"address", "203.0.113.20"}, {"host", Value::map()}});
  EXPECT_TRUE(source_of(dovecot).value.is_integer()) << source_of(dovecot).how;
}

}  // namespace
}  // namespace plan::command
