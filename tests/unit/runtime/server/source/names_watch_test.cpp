#include "runtime/server/source/names_watch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/server/source/errors.h"
#include "runtime/server/source/survey.h"
#include "tests/support/fake_host.h"
#include "tests/support/told_error.h"

namespace plan::server::source {
namespace {

using Names = std::vector<std::string>;

/// A source with two accounts; `aliases` is what postmap lists, `version` what stat says.
class NamesWatchTest : public ::testing::Test {
 protected:
  NamesWatchTest() {
    host_.files["/etc/dovecot/users"] =
        "alice@example.org:{PLAIN}x::::::\nbob@example.org:{PLAIN}x::::::\n";
    host_.program = [this](const std::vector<std::string>& arguments, const std::string&) {
      return answer(arguments);
    };
    Block block;
    block.address = "203.0.113.20";
    source_ = std::make_shared<Source>(std::move(block), host_, net::system_clock());
  }

  Result<net::CommandResult> answer(const std::vector<std::string>& arguments) {
    net::CommandResult result;
    if (arguments.front() == "stat") {
      stamped_ = arguments;
      result.output = version;
    } else if (std::find(arguments.begin(), arguments.end(), "virtual_alias_maps") !=
               arguments.end()) {
      result.output = "hash:/etc/postfix/virtual\n";
    } else if (arguments.front().ends_with("postmap")) {
      ++listings;
      result.output = aliases;
    }
    return result;
  }

  NamesWatch watch_{[this]() -> Result<std::shared_ptr<Source>> { return source_; }};
  test::FakeHost host_;
  std::shared_ptr<Source> source_;
  std::vector<std::string> stamped_ = {};
  std::string aliases = "info@example.org\talice@example.org\n";
  std::string version = "1";
  int listings = 0;
};

TEST_F(NamesWatchTest, reads_everything_once_and_asks_only_whether_it_is_the_same) {
  for (int i = 0; i < 3; ++i) {
    const auto names = watch_.aliases_of("alice@example.org");
    ASSERT_TRUE(names) << names.error().to_line();
    EXPECT_EQ(*names, Names{"info@example.org"});
  }
  const auto none = watch_.aliases_of("bob@example.org");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  EXPECT_LE(listings, 2) << "once to know its files, once behind their stamp";
  for (const char* file : {"/etc/dovecot/users", "/etc/postfix/main.cf", "/etc/postfix/virtual.db"})
    EXPECT_NE(std::find(stamped_.begin(), stamped_.end(), file), stamped_.end()) << file;
}

TEST_F(NamesWatchTest, a_file_that_is_another_one_is_read_again) {
  ASSERT_TRUE(watch_.aliases_of("alice@example.org"));
  aliases += "sales@example.org\talice@example.org\n";
  version = "2";
  const auto names = watch_.aliases_of("alice@example.org");
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_EQ(*names, (Names{"info@example.org", "sales@example.org"}));
}

TEST_F(NamesWatchTest, what_cannot_be_read_is_an_error_and_no_account_without_aliases) {
  ASSERT_TRUE(watch_.aliases_of("alice@example.org"));
  version = "2";
  host_.files.erase("/etc/dovecot/users");
  EXPECT_FALSE(watch_.aliases_of("alice@example.org"));
  host_.files["/etc/dovecot/users"] = "alice@example.org:{PLAIN}x::::::\n";
  const auto names = watch_.aliases_of("alice@example.org");
  ASSERT_TRUE(names) << "the next question reads again";
  EXPECT_EQ(*names, Names{"info@example.org"});
}

/// Accounts in a database: a command writes the files that are read, before every question.
TEST(ExportedNames, are_those_of_the_moment_and_stand_for_the_maps_of_the_database) {
  test::FakeHost host;
  std::string exported = "# written by the export\nInfo@example.org alice@example.org\n";
  int exports = 0;
  bool is_broken = false;
  host.program = [&](const std::vector<std::string>& arguments, const std::string&) {
    net::CommandResult result;
    const auto has = [&](const char* word) {
      return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
    };
    if (arguments.front() == "/usr/local/sbin/plan-export") {
      ++exports;
      if (is_broken) result = {.exit_code = 2, .errors = "no database"};
      host.files["/etc/dovecot/plan-users"] = "alice@example.org:{PLAIN}x::::::\n";
      host.files["/etc/postfix/plan-aliases"] = exported;
    } else if (arguments.front() == "stat") {
      result.output = exported;  // stands for the stamp of the file
    } else if (has("virtual_alias_maps")) {
      result.output = "proxy:mysql:/etc/a.cf, hash:/etc/postfix/virtual pgsql:/etc/b.cf\n";
    } else if (has("hash:/etc/postfix/virtual")) {
      result.output = "old@example.org\talice@example.org\n";
    } else if (arguments.front() == "postmap") {
      result = {.exit_code = 1, .errors = "asked for a map that cannot be listed"};
    }
    return result;
  };
  Block block;
  block.address = "203.0.113.20";
  block.users_file = "/etc/dovecot/plan-users";
  block.export_command = {"/usr/local/sbin/plan-export"};
  block.alias_export = "/etc/postfix/plan-aliases";
  const auto source = std::make_shared<Source>(std::move(block), host, net::system_clock());
  NamesWatch watch([&]() -> Result<std::shared_ptr<Source>> { return source; });

  const auto first = watch.aliases_of("alice@example.org");
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_EQ(*first, (Names{"info@example.org", "old@example.org"}));
  EXPECT_EQ(exports, 1) << "once for a question";
  exported += "sales@example.org alice@example.org\n";
  const auto second = watch.aliases_of("alice@example.org");
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(*second, (Names{"info@example.org", "old@example.org", "sales@example.org"}));
  EXPECT_EQ(exports, 2) << "what was exported once may be old by now";

  const auto names = survey_names(*source);
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_EQ(exports, 3);
  EXPECT_EQ((*names)["accounts"].item(0)["aliases"].size(), 3U);

  is_broken = true;
  const auto none = watch.aliases_of("alice@example.org");
  ASSERT_FALSE(none) << "an old export is no answer";
  EXPECT_TRUE(none.error().is(errors::source_command_failed)) << none.error().to_line();
}

/// The two servers in containers of their own, the export on their machine.
TEST(SourceInContainers, ReadsEachFileWhereItIs) {
  using Words = std::vector<std::string>;
  test::FakeHost host;
  host.files["/var/lib/plan-export/users"] = "alice@example.org:{PLAIN}x::::::\n";
  host.files["/var/lib/plan-export/aliases"] = "info@example.org alice@example.org\n";
  std::vector<Words> outside;
  host.program = [&](const Words& arguments, const std::string&) {
    net::CommandResult result;
    if (arguments.front() != "docker") {
      outside.push_back(arguments);
      if (arguments.front() == "stat") result.output = "as before";
      return result;
    }
    if (arguments.size() < 6 || arguments[1] != "exec") {
      return net::CommandResult{.exit_code = 1, .errors = "asked for something else"};
    }
    const std::string& container = arguments[4];
    const std::string& program = arguments[5];
    const bool is_dovecots = program == "doveconf";
    const bool is_postfixs = program == "postconf" || program == "postmap" || program == "stat";
    if ((is_dovecots && container != "dovecot-1") || (is_postfixs && container != "postfix-1"))
      return net::CommandResult{.exit_code = 1, .errors = "in the wrong container"};
    if (arguments.back() == "virtual_alias_maps")
      result.output = "proxy:mysql:/etc/a.cf, hash:/opt/postfix/conf/extra\n";
    if (arguments.back() == "hash:/opt/postfix/conf/extra")
      result.output = "old@example.org\talice@example.org\n";
    return result;
  };
  const auto block = read_block(ir::Value::map(
      {{"address", "203.0.113.20"},
       {"dovecot",
        ir::Value::map({{"container", "dovecot-1"}, {"users_file", "/var/lib/plan-export/users"}})},
       {"postfix",
        ir::Value::map({{"container", "postfix-1"}, {"config_directory", "/opt/postfix/conf"}})},
       {"export", ir::Value::map({{"command", ir::List{"plan-export", "now"}},
                                  {"aliases", "/var/lib/plan-export/aliases"}})}}));
  ASSERT_TRUE(block) << block.error().to_line();
  const auto source = std::make_shared<Source>(*block, host, net::system_clock());
  NamesWatch watch([&]() -> Result<std::shared_ptr<Source>> { return source; });
  const auto names = watch.aliases_of("alice@example.org");
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_EQ(*names, (Names{"info@example.org", "old@example.org"}));
  EXPECT_EQ(outside,
            (std::vector<Words>{{"plan-export", "now"},
                                {"stat", "-L", "-c", "%n %d %i %s %y %z", "--",
                                 "/var/lib/plan-export/users", "/var/lib/plan-export/aliases"}}))
      << "nothing but the export and its files is the machine's";
  EXPECT_NE(std::find(host.commands.begin(), host.commands.end(),
                      Words{"docker", "exec", "--env", "LC_ALL=C", "postfix-1", "stat", "-L", "-c",
                            "%n %d %i %s %y %z", "--", "/opt/postfix/conf/main.cf",
                            "/opt/postfix/conf/extra.db"}),
            host.commands.end());
  EXPECT_NE(std::find(host.commands.begin(), host.commands.end(),
                      Words{"docker", "exec", "--env", "LC_ALL=C", "dovecot-1", "doveconf", "-c",
                            "/etc/dovecot/dovecot.conf", "passdb"}),
            host.commands.end());
}

/// Without an export a database is refused by name, as it always was.
TEST(ExportedNames, are_needed_where_a_map_is_in_a_database) {
  test::FakeHost host;
  host.files["/etc/dovecot/users"] = "alice@example.org:{PLAIN}x::::::\n";
  host.program = [](const std::vector<std::string>& arguments, const std::string&) {
    net::CommandResult result;
    if (std::find(arguments.begin(), arguments.end(), "virtual_alias_maps") != arguments.end())
      result.output = "proxy:mysql:/etc/a.cf\n";
    return result;
  };
  Block block;
  block.address = "203.0.113.20";
  Source source(std::move(block), host, net::system_clock());
  const auto population = read_population(source);
  ASSERT_FALSE(population);
  EXPECT_TRUE(test::told_as("map-not-listable", population.error()));
}

/// grep finds every line with the name in it: that of somebody else is not this account's.
TEST(PasswordHash, OfAnAccountThatIsNotThereIsNotThatOfAnother) {
  test::FakeHost host;
  host.program = [](const std::vector<std::string>& arguments, const std::string&) {
    net::CommandResult result;
    if (arguments.front() == "grep" && arguments[arguments.size() - 2] == "lice")
      result.output = "alice@example.org:{PLAIN}x::::::\n";
    return result;
  };
  Block block;
  block.address = "203.0.113.20";
  Source source(std::move(block), host, net::system_clock());
  const auto none = read_password_hash(source, "lice@example.org");
  ASSERT_FALSE(none);
  EXPECT_TRUE(test::told_as("account-not-in-users-file", none.error()));
}

}  // namespace
}  // namespace plan::server::source
