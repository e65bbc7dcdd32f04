// What the lists of an old Stalwart mean: addresses, rights, passwords, lists. Its principals are
// those of the recordings with a real 0.15.5, and worse ones.
#include "runtime/server/stalwart15/directory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "runtime/server/source/password_form.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart15/old_server.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

Value parsed(const char* text) {
  auto value = ir::parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? std::move(*value) : Value();
}

Principals sorted(const std::vector<Value>& all) {
  Principals principals;
  for (const Value& one : all) {
    const std::string_view type = one["type"].string_or("");
    if (type == "individual") principals.individuals.push_back(one);
    if (type == "group") principals.groups.push_back(one);
    if (type == "list") principals.lists.push_back(one);
    if (type == "role") principals.roles.push_back(one);
    if (type == "domain") principals.domains.push_back(one);
  }
  return principals;
}

Directory read(std::initializer_list<const char*> texts) {
  std::vector<Value> all;
  for (const char* text : texts) all.push_back(parsed(text));
  auto directory = read_directory(sorted(all));
  EXPECT_TRUE(directory) << directory.error().to_line();
  return directory ? std::move(*directory) : Directory{};
}

const OldAccount* account(const Directory& directory, std::string_view address) {
  const auto found = std::find_if(directory.accounts.begin(), directory.accounts.end(),
                                  [&](const OldAccount& one) { return one.address == address; });
  return found == directory.accounts.end() ? nullptr : &*found;
}

constexpr const char* kDomain = R"({"type":"domain","name":"old.test"})";

TEST(OldDirectory, OfTheRealServerIsUnderstood) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  std::vector<Value> all;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.file != "principals.jsonl" || one.scenario != "list" || one.note != "everything")
      continue;
    for (const Value& item : one.response["body"]["data"]["items"].items()) all.push_back(item);
  }
  ASSERT_EQ(all.size(), 41U);
  const auto read = read_directory(sorted(all));
  ASSERT_TRUE(read) << read.error().to_line();
  EXPECT_EQ(read->accounts.size(), 23U);
  EXPECT_TRUE(read->domains.contains("old.test"));
  EXPECT_EQ(read->domains.size(), 5U);

  const OldAccount* emil = account(*read, "emil@old.test");
  ASSERT_NE(emil, nullptr);
  EXPECT_TRUE(emil->is_enabled);
  EXPECT_EQ(emil->password.form(), "PLAIN") << "neither the seed nor the app password";
  EXPECT_EQ(emil->password.text, "second clear");
  EXPECT_EQ(read->left.at("one_time_codes"), std::vector<std::string>{"emil@old.test"});
  EXPECT_EQ(read->left.at("app_passwords"),
            (std::vector<std::string>{"alice@old.test", "emil@old.test"}));

  const OldAccount* odd = account(*read, "odd@old.test");
  ASSERT_NE(odd, nullptr) << "its name is no address, so it is called by the one it has";
  EXPECT_EQ(odd->login, "odd n\xc3\xa4me/with%stuff");
  EXPECT_TRUE(odd->is_enabled);

  const OldAccount* frida = account(*read, "frida@old.test");
  ASSERT_NE(frida, nullptr);
  EXPECT_FALSE(frida->is_enabled) << "logins are trimmed, and its name begins with blanks";

  const OldAccount* gus = account(*read, "gus@old.test");
  ASSERT_NE(gus, nullptr);
  EXPECT_TRUE(gus->is_enabled) << "by the role that its own role has";
  EXPECT_FALSE(account(*read, "carl@old.test")->is_enabled) << "it has no role";
  EXPECT_FALSE(account(*read, "alice@old.test")->is_enabled) << "nor has she any more";
  EXPECT_EQ(account(*read, "qa@old.test")->quota, 1U) << "the first of a list of bounds";
  EXPECT_EQ(account(*read, "qbig@old.test")->quota, 9223372036854775807U);
  EXPECT_EQ(read->catch_alls.at("@old.test"), std::vector<std::string>{"catch@old.test"});
  EXPECT_EQ(account(*read, "plus@old.test")->aliases,
            std::vector<std::string>{"plus+tag@old.test"});

  ASSERT_EQ(read->lists.size(), 2U);
  EXPECT_EQ(read->lists[0].address, "all@old.test");
  EXPECT_EQ(read->lists[0].members, (std::vector<std::string>{"bob@old.test", "ext2@elsewhere.test",
                                                              "ext@elsewhere.test"}));
  EXPECT_TRUE(read->lists[1].members.empty()) << "what it has is no address";
  EXPECT_EQ(read->left.at("lists_without_address"), std::vector<std::string>{"nomail"});
  EXPECT_EQ(read->left.at("groups"),
            (std::vector<std::string>{"bosses@old.test", "staff@old.test"}));
}

TEST(OldDirectory, NoAccountHasMoreOrFewerPasswordsThanTheRealServerLetsIn) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  std::ifstream file(folder / "principals.jsonl", std::ios::binary);
  std::size_t forms = 0;
  for (std::string line; std::getline(file, line);) {
    const auto one = ir::parse_json(line);
    ASSERT_TRUE(one);
    if (!(*one)["form"].is_string()) continue;
    const std::string stored((*one)["stored"].string_or(""));
    if (stored.starts_with("$app$")) continue;  // logs in beside the password
    ++forms;
    const bool logs_in = (*one)["loginStatus"].integer_or(0) == 200;
    EXPECT_EQ(password_of(Value::list({stored})).scheme != "NONE", logs_in)
        << (*one)["form"].string_or("");
  }
  EXPECT_GE(forms, 20U);
}

TEST(OldDirectory, TellsTheFormsOfPasswordsAsTheLockHasThem) {
  const auto form = [](const char* secret) {
    return source::lock_form(password_of(Value::list({secret})));
  };
  EXPECT_EQ(form("$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"
                 "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"),
            "CRYPT:$6$");
  EXPECT_EQ(form("$6$cut"), "CRYPT:$6$:damaged");
  EXPECT_EQ(form("a clear text"), "PLAIN");
  EXPECT_EQ(form("{PLAIN}x"), "PLAIN");
  EXPECT_EQ(form("{plain}x"), "PLAIN");
  EXPECT_EQ(form("{SSHA}not base64"), "SSHA:damaged");
  EXPECT_EQ(form("_J9..K0AyUubDCTlfpow"), "CRYPT:bsdi");
  for (const char* nobody : {"", "$y$j9T$x", "$apr1$x$y", "{BLF-CRYPT}$2y$10$x", "{ssha512}x", "{",
                             "{}", "{SSHA", "{SHA512-CRYPT}$6$a$b"})
    EXPECT_EQ(form(nobody), "NONE") << nobody;
}

TEST(OldDirectory, CallsAnAccountByItsLoginWhereThatIsItsAddress) {
  const Directory directory = read({
      kDomain,
      R"({"type":"individual","name":"alice","emails":["alice@old.test","al@old.test"],"roles":["user"]})",
      R"({"type":"individual","name":"bob@old.test","emails":["robert@old.test","bob@old.test","@old.test"],"roles":["user"]})",
      R"({"type":"individual","name":"carl@gone.test","emails":["carl@old.test"],"roles":["user"]})",
      R"({"type":"individual","name":"al@old.test","emails":["other@old.test"],"roles":["user"]})",
      R"({"type":"individual","name":"nobody","roles":["user"]})",
  });
  ASSERT_EQ(directory.accounts.size(), 5U);
  EXPECT_EQ(account(directory, "alice@old.test")->login, "alice");
  EXPECT_EQ(account(directory, "alice@old.test")->aliases, std::vector<std::string>{"al@old.test"});
  EXPECT_EQ(account(directory, "bob@old.test")->aliases,
            std::vector<std::string>{"robert@old.test"});
  EXPECT_EQ(account(directory, "carl@old.test")->login, "carl@gone.test")
      << "its domain does not exist";
  EXPECT_EQ(account(directory, "other@old.test")->login, "al@old.test")
      << "that is an address of somebody else";
  EXPECT_EQ(account(directory, "nobody")->login, "nobody");
}

TEST(OldDirectory, RefusesTwoThatWouldBeOne) {
  std::vector<Value> all = {
      parsed(kDomain), parsed(R"({"type":"individual","name":"dora","emails":["dora@old.test"]})"),
      parsed(R"({"type":"individual","name":"theodora","emails":["dora@old.test"]})")};
  const auto directory = read_directory(sorted(all));
  ASSERT_FALSE(directory);
  EXPECT_TRUE(test::told_as("old-accounts-collide", directory.error()));
}

TEST(OldDirectory, KnowsWhoIsLockedOut) {
  const Directory directory = read({
      kDomain,
      R"({"type":"role","name":"closed","roles":["user"],"disabledPermissions":["authenticate"]})",
      R"({"type":"role","name":"loop","roles":["hoop"]})",
      R"({"type":"role","name":"hoop","roles":["loop"]})",
      R"({"type":"individual","name":"a@old.test","emails":["a@old.test"],"roles":["closed"]})",
      R"({"type":"individual","name":"b@old.test","emails":["b@old.test"],"roles":["user"],"disabledPermissions":["authenticate","email-receive"]})",
      R"({"type":"individual","name":"c@old.test","emails":["c@old.test"],"enabledPermissions":["authenticate"]})",
      R"({"type":"individual","name":"d@old.test","emails":["d@old.test"],"roles":["loop"]})",
      R"({"type":"individual","name":"e@old.test","emails":["e@old.test"],"roles":["admin"]})",
  });
  EXPECT_FALSE(account(directory, "a@old.test")->is_enabled);
  EXPECT_FALSE(account(directory, "b@old.test")->is_enabled);
  EXPECT_TRUE(account(directory, "c@old.test")->is_enabled);
  EXPECT_FALSE(account(directory, "d@old.test")->is_enabled);
  EXPECT_TRUE(account(directory, "e@old.test")->is_enabled);
  EXPECT_EQ(directory.left.at("closed_mailboxes"),
            (std::vector<std::string>{"b@old.test", "c@old.test", "d@old.test"}));
  EXPECT_EQ(directory.left.at("roles"),
            (std::vector<std::string>{"a@old.test", "d@old.test", "e@old.test"}));
  EXPECT_EQ(directory.left.at("permissions"), std::vector<std::string>{"c@old.test"});
}

TEST(OldDirectory, GivesListsTheAddressesOfTheirMembers) {
  const Directory directory = read({
      kDomain,
      R"({"type":"individual","name":"alice","emails":["alice@old.test"],"roles":["user"]})",
      R"({"type":"group","name":"staff","emails":["staff@old.test"],"members":["alice"]})",
      R"({"type":"list","name":"all","emails":["all@old.test","everybody@old.test"],"members":["alice","staff","gone"],"externalMembers":["X@Elsewhere.test"]})",
  });
  ASSERT_EQ(directory.lists.size(), 2U);
  EXPECT_EQ(directory.lists[0].members,
            (std::vector<std::string>{"alice@old.test", "staff@old.test", "x@elsewhere.test"}));
  EXPECT_EQ(directory.lists[1].address, "everybody@old.test");
  EXPECT_EQ(directory.lists[1].members, std::vector<std::string>{"all@old.test"});
}

TEST(OldDirectory, TakesAnything) {
  const Directory directory = read({
      R"({"type":"domain","name":7})",
      R"({"type":"domain","name":""})",
      R"({"type":"individual","name":"a","emails":"a@old.test","secrets":{"x":1},"quota":"many","roles":7})",
      R"({"type":"individual","name":"b","emails":[1,null,[],"@","@@","x@","@x@y"," @z"],"secrets":[null,[]],"quota":[],"roles":[null]})",
      R"({"type":"individual","name":"c","quota":-5,"usedQuota":1e300})",
      R"({"type":"list","name":"l","emails":["l@old.test"],"members":{"a":1},"externalMembers":[7]})",
  });
  ASSERT_EQ(directory.accounts.size(), 3U);
  EXPECT_TRUE(directory.domains.empty());
  for (const char* one : {"a", "b", "c"}) ASSERT_NE(account(directory, one), nullptr) << one;
  EXPECT_FALSE(account(directory, "a")->quota.has_value());
  EXPECT_FALSE(account(directory, "c")->quota.has_value());
  EXPECT_EQ(account(directory, "b")->password.scheme, "NONE");
}

}  // namespace
}  // namespace plan::server::stalwart15
