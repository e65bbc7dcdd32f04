#include "compiler/yaml_help.h"

#include <gtest/gtest.h>

namespace plan::test {
namespace {

TEST(HelpInYaml, WritesWhatItShowsOfAStep) {
  EXPECT_EQ(help_in_yaml("write `role = held`"), "write `role: held`");
  EXPECT_EQ(help_in_yaml("write `by = store.by`"), "write `by: \"${store.by}\"`");
  EXPECT_EQ(help_in_yaml("a step `for wave in waves`, `for account in accounts`"),
            "a step `for: wave in waves`, `for: account in accounts`");
  EXPECT_EQ(help_in_yaml("`after = [proxies/ready]`, or `after = [wave/{}/approval, a/b]`"),
            "`after: [proxies/ready]`, or `after: [\"wave/{}/approval\", a/b]`");
  EXPECT_EQ(help_in_yaml("`after = [...]`"), "`after: [...]`");
  EXPECT_EQ(help_in_yaml("write `trusted = [addresses.proxy]`"),
            "write `trusted: [\"${addresses.proxy}\"]`");
  EXPECT_EQ(help_in_yaml("as in `point = \"moved-${account.address}\"`"),
            "as in `point: \"moved-${account.address}\"`");
  EXPECT_EQ(help_in_yaml("`roles = { \"@type\" = \"User\" }`"), "`roles: {\"@type\": \"User\"}`");
  EXPECT_EQ(
      help_in_yaml("`{ key = ..., rules = [{ if = ..., then = ... }, { else = ... }] }` or so"),
      "`{key: ..., rules: [{if: ..., then: ...}, {else: ...}]}` or so");
}

TEST(HelpInYaml, WritesASecret) {
  EXPECT_EQ(help_in_yaml("name it: `let NAME = secret \"file:secrets/NAME\"`"),
            "name it: `let: {NAME: !secret file:secrets/NAME}`");
}

TEST(HelpInYaml, WritesAUse) {
  EXPECT_EQ(help_in_yaml("write `use std/restart`"), "write `use: std/restart`");
  EXPECT_EQ(help_in_yaml("`use ./mine.plan { relay = ... }`"),
            "`use: {module: ./mine.plan, with: {relay: ...}}`");
}

TEST(HelpInYaml, LeavesWhatIsNoPartOfAModule) {
  for (const char* help :
       {"reload: `login_trusted_networks = 203.0.113.10`, then run `plan fetch`",
        "std/stalwart-source does with `entry_port = source.listener.port`",
        "write members by name: `{name = value}`, in YAML `{name: value}`",
        "`plan fetch` brings it", "a `tick that does not end = here", "", "`", "``"})
    EXPECT_EQ(help_in_yaml(help), help);
}

}  // namespace
}  // namespace plan::test
