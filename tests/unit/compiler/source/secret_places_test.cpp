#include "compiler/source/secret_mask.h"

#include <gtest/gtest.h>

namespace plan {
namespace {

std::string masked(std::string_view text, std::string name) {
  SourceSet sources;
  const FileId file = sources.add(std::move(name), std::string(text));
  SecretMask mask(sources, {});
  return mask.text(file, 0, static_cast<std::uint32_t>(text.size()));
}

struct Case {
  std::string_view text;
  std::string_view shown;
};

TEST(SecretPlaces, AreFoundInYaml) {
  for (const auto& [text, shown] : std::vector<Case>{
           {"  login: {usr: admin, password: hunter2}",
            "  login: {usr: admin, password: ********}"},
           {"{password: hunter2, password: hunter3}", "{password: ********, password: ********}"},
           {"{password: [hunter2, 'a b'], x: 1}", "{password: [********, '********'], x: 1}"},
           {"{password: {a: hunter2}, x: 1}", "{password: {a: ********}, x: 1}"},
           {"{user: admin, pasword: hunter2}", "{user: admin, pasword: ********}"},
           {"  pasword: hun,ter2 # why", "  pasword: ******** # why"},
           {"  passwrod: hunter2", "  passwrod: ********"},
           {"  tokne: hunter2", "  tokne: ********"},
           {"{name: canary, password: hunter2, accounts: [a@b]}",
            "{name: canary, password: ********, accounts: [a@b]}"},
           {"{password: !secret hunter2}", "{password: !secret ********}"},
           {"{name: !secret hunter2}", "{name: !secret ********}"},
           {"{password: !scret hunter2}", "{password: !scret ********}"},
           {"{password: !hunter2}", "{password: !********}"},
           {"  login: \"admin:hunter2\"", "  login: \"********\""},
           {"password: \"hunter2 ${name}\"", "password: \"******** ${********}\""},
           {"password: >-\n  hunter2\n  hunter3\nx: 1",
            "password: >-\n  ********\n  ********\nx: 1"},
           {"password:\n  hunter2\nx: 1", "password:\n  ********\nx: 1"},
           {"run: [curl, -u, \"admin:hunter2\", x]", "run: [curl, -u, \"admin:********\", x]"},
           {"run: [x, --password, hunter2, y]", "run: [x, --password, ********, y]"},
           {"run: [x, \"--token=hunter2\"]", "run: [x, \"--token=********\"]"},
           {"url: https://admin:hunter2@new.example.org",
            "url: https://admin:********@new.example.org"},
           {"password: \"hunter2", "password: \"********"},
           {"password: !secret \"command:curl -u a:hunter2 https://h\"",
            "password: !secret \"command:curl -u a:******** https://h\""},
           {"  login: {password: !secret command:vault --token hunter2}",
            "  login: {password: !secret command:vault --token ********}"}})
    EXPECT_EQ(masked(text, "migration.yaml"), shown);
}

TEST(SecretPlaces, AreFoundInThePlanLanguageAndInJson) {
  for (const auto& [text, shown] :
       std::vector<Case>{{"password = \"hunter2\"", "password = \"********\""},
                         {"login = { user = \"a\" password == \"hunter2\" }",
                          "login = { user = \"a\" password == \"********\" }"},
                         {"password = secret \"hunter2\"", "password = secret \"********\""},
                         {"password = secret \"command:x --token hunter2\"",
                          "password = secret \"command:x --token ********\""},
                         {"name = scret \"hunter2\"", "name = scret \"********\""},
                         {"set = { secret = { \"@type\" = \"Text\", secret = \"hunter2\" } }",
                          "set = { secret = { \"@type\" = \"Text\", secret = \"********\" } }"}})
    EXPECT_EQ(masked(text, "mine.plan"), shown);
  EXPECT_EQ(
      masked(R"({"n":"r","authSecret":{"@type":"Value","secret":"hunter2"},"x":"y"})", "s.ndjson"),
      R"({"n":"r","authSecret":{"@type":"Value","secret":"********"},"x":"y"})");
}

/// The secret is masked where `S` stands in each of `lines`, inside each of `texts`, for `{}`.
void expect_masked(const std::string& file, const std::vector<std::string_view>& texts,
                   const std::vector<std::string_view>& lines) {
  const std::string secret = "hunter2-PLANTED";
  for (const std::string_view line : lines) {
    std::string planted(line);
    planted.replace(planted.find('S'), 1, secret);
    for (const std::string_view text : texts) {
      std::string whole(text);
      whole.replace(whole.find("{}"), 2, planted);
      EXPECT_EQ(masked(whole, file).find(secret), std::string::npos) << whole;
    }
  }
}

TEST(SecretPlaces, AreFoundBehindAnySignOrNone) {
  // In a block, in braces and behind a `let` or a `-`.
  expect_masked("mine.plan",
                {"  login = { user = \"admin\", {} }\n  url = \"x\"\n",
                 "login = {\n  user = \"admin\"\n  {}\n}\n", "let {}\n"},
                {"password = 'S'",
                 "password = 'S",
                 "password = \"S\" x",
                 "password \"S\"",
                 "password 'S'",
                 "password: \"S\"",
                 "password: S",
                 "password = S",
                 "password == \"S\"",
                 "password = `S`",
                 "password = \"S\\q\"",
                 "password = \"S\\\"",
                 "password = (\"S\"",
                 "password = ['S'",
                 "password = ['S",
                 "password = { a = 'S",
                 "password = secret 'S'",
                 "password = secret 'S",
                 "password = secret S",
                 "password = secret \"S",
                 "password = tagged \"!x\" 'S",
                 "password = lock \"S\"",
                 "password = 'a' == 'S",
                 "password = lower('S",
                 "pasword = 'S",
                 "passwd = 'S'",
                 "pass = \"S\"",
                 "secret = 'S",
                 "password = \"a\" 'S'",
                 "password = numbered ['S'",
                 "\"password\" = 'S",
                 "'password' = 'S'",
                 "password = 'S' 'x",
                 "password ='S",
                 "password = \u201cS\u201d",
                 "password = $S",
                 "password = #S",
                 "password = \"${S}\"",
                 "password = \"x ${'S\"",
                 "password = \"${'S'}\"",
                 "password = default('S', 'x')",
                 "password = default(null, 'S",
                 "password S",
                 "password\"S\"",
                 "password:S",
                 "password= hun,S,x",
                 "password = a}S",
                 "password = \n 'S'",
                 "password =\n     S",
                 "password { a = 'S'",
                 "password = true S",
                 "password = -S"});
  expect_masked("migration.yaml",
                {"  login: {user: admin, {}}\n  url: x\n",
                 "  login:\n    user: admin\n    {}\n  url: x\n", "a:\n- {}\n"},
                {"password: 'S'",
                 "password: 'S",
                 "password: \"S",
                 "password: \"S\" x",
                 "password 'S'",
                 "password = \"S\"",
                 "password:S",
                 "password: S: x",
                 "password: `S`",
                 "password: @S",
                 "password: %S",
                 "password: [S",
                 "password: {a: S",
                 "password: !secret 'S",
                 "password: !!str S",
                 "password: !<x> S",
                 "password: |S",
                 "password: > S",
                 "password: *S",
                 "password: &S x",
                 "? password : S",
                 "password: ${S}",
                 "password: ${S",
                 "password: \"${lower('S')}\"",
                 "password: ${default('S','x')}",
                 "password: - S",
                 "password: # S",
                 "password: #S",
                 "pass: 'S",
                 "secret: \"S",
                 "Password: 'S",
                 "password S",
                 "password\tS",
                 "password: a,S}",
                 "password: \"a\"S\""});
}

TEST(SecretPlaces, EndWithTheValueAndNotWithItsFirstSign) {
  for (const auto& [text, shown] : std::vector<Case>{
           {"{password: hun,ter2, x: 1}", "{password: ********, x: 1}"},
           {R"({"secret":"hun"ter2","x":1})", R"({"secret":"********"********,"x":1})"},
           {"  login: {password: &hunter2 x}\n  url: x",
            "  login: {password: &********}\n  url: x"}})
    EXPECT_EQ(masked(text, "migration.yaml"), shown);
  for (const auto& [text, shown] : std::vector<Case>{
           {"login = { user = \"a\", password: hun,ter2, url = \"x\" }",
            "login = { user = \"a\", password: ********, url = \"x\" }"},
           {"input password : secret = 'hunter2'", "input password : secret = '********'"},
           {"input pem : secret = 'hunter2'", "input pem : secret = '********'"},
           {"let one = { password = 'hunter2' of }\nlet two = 1",
            "let one = { password = '********' ******** }\nlet two = 1"},
           {"login = { password = 'hunter2 }\n  url = \"x\"",
            "login = { password = '********\n  url = \"x\""}})
    EXPECT_EQ(masked(text, "mine.plan"), shown);
}

TEST(SecretPlaces, AreFoundInCommands) {
  for (const auto& [text, shown] : std::vector<Case>{
           {"run: [point, --password=hunter2]", "run: [point, --password=********]"},
           {"run: [mysql, -phunter2, db]", "run: [mysql, -p********, db]"},
           {"run: [env, MYSQL_PWD=hunter2, mysql]", "run: [env, MYSQL_PWD=********, mysql]"},
           {"run: [curl, -ua:hunter2]", "run: [curl, -ua:********]"},
           {"run: [ldapsearch, -w, hunter2]", "run: [ldapsearch, -w, ********]"},
           {"run:\n  - mysql\n  - -phunter2\n  - db\nundo: [x]",
            "run:\n  - mysql\n  - -p********\n  - db\nundo: [x]"},
           {"run: [mysql,\n  -phunter2]", "run: [mysql,\n  -p********]"},
           {"run: curl -u a:hunter2 x", "run: curl -u a:******** x"},
           {"run: [sh, -c, \"curl -u a:hunter2 h\"]", "run: [sh, -c, \"curl -u a:******** h\"]"},
           {"run: [curl, -H, \"Authorization: Bearer hunter2\"]",
            "run: [curl, -H, \"Authorization: ********\"]"},
           {R"(run: [curl, -d, '{"password":"hunter2"}'])",
            R"(run: [curl, -d, '{"password":"********"}'])"},
           {R"(run: [curl, -d, "{\"password\": \"hunter2\"}", h])",
            R"(run: [curl, -d, "{\"password\": \"********\"}", h])"},
           {R"(run: curl -d '{"password": "hunter2"}' h)",
            R"(run: curl -d '{"password": "********"}' h)"},
           {R"(run: [sh, -c, "mysql -e \"alter user a identified by 'hunter2'\""])",
            R"(run: [sh, -c, "mysql -e \"alter user a identified by '********'\""])"},
           {"run: [http, -a, admin:hunter2", "run: [http, -a, admin:********"}})
    EXPECT_EQ(masked(text, "migration.yaml"), shown);
  EXPECT_EQ(masked("run = [\n  \"mysql\",\n  \"-phunter2\",\n]\nundo = [\"x\"]", "mine.plan"),
            "run = [\n  \"mysql\",\n  \"-p********\",\n]\nundo = [\"x\"]");
  EXPECT_EQ(masked(R"(run = ["curl", "-d", "{\"token\": \"hunter2\"}"])", "mine.plan"),
            R"(run = ["curl", "-d", "{\"token\": \"********\"}"])");
}

TEST(SecretPlaces, AreNoneWhereNothingIsSecret) {
  for (const std::string_view text :
       {"login: {user: \"${addresses.admin}\", password: !secret file:secrets/admin}",
        "{password: !secret \"command:cat secrets/program\", token: !secret env:TOKEN}",
        "{password: !secret \"env:\", token: !secret command:}", "password: !secret file:",
        "accounts: {from: {passwd_file: /etc/dovecot/users}}", "key: !secret file:secrets/id",
        "# don't write the password here", "run: [ssh, -u, root, host]", "pin: !lock certificate",
        "without_password: [old@example.org]", "# where `!secret` says",
        "reject: 5\nsecond: 1\nserver: a\ncopy_passes: [5]", "login: # the admin's\n  user: a",
        "token: !secret env:TOKEN  # of the edge",
        "run: [docker, run, -u, '1000:1000', -p3306:3306, mysql]",
        "run: [mysql, --defaults-file=/root/.my.cnf, -p, mail]", "run: [sh, -c, 'mysql -p$PW']",
        "run: [sshpass, -e, ssh, -p, 22, h]", "run: [curl, --key=/etc/x.pem, https://h/x@y]"})
    EXPECT_EQ(masked(text, "migration.yaml"), text);
  for (const std::string_view text :
       {"input private_key : secret", "{ key = \"queue.route\", value = \"relay\" }",
        "step key : admin.upsert {\n  match = { a = \"b\" }\n}",
        "step password : admin.upsert { match = { a = \"b\" } }", "password = account.password",
        "password = secret \"env:VMADMIN_PASSWORD\" }",
        "input password : secret  # of the admin\nlet x = 1", "input token : secret?\n",
        "input auth : list(text) = [\"a\"]",
        "let token = source.master_user.password\nlet inside = { of = [token] }",
        "let is_same = source.master_user.password == null",
        "let either = default(source.master_user.password, 5)",
        "input pem : secret\nuse std/dkim { selector = \"m\", private_key = pem, domain = \"x\" }",
        "step own/{}/x for row in accounts : admin.account {\n  password = row.password\n}"})
    EXPECT_EQ(masked(text, "mine.plan"), text);
}

TEST(SecretPlaces, AreNoLoginOfALock) {
  const std::string line = "account alice@example.org login=alice hash=CRYPT:$6$ quota=104857600\n";
  EXPECT_EQ(masked("plan-lock 1 x\n" + line, "migration.lock"), "plan-lock 1 x\n" + line);
}

TEST(SecretPlaces, TakeABrokenTextAsItIs) {
  for (const std::string_view text :
       {"password:", "password: [", "password: {\"", "password: '", "!secret", "password: !", "-u,",
        "password: |", "\"password\"", "password: ${", "password = {", "://:@", "password: &"}) {
    EXPECT_EQ(masked(text, "migration.yaml").substr(0, 2), text.substr(0, 2));
    EXPECT_EQ(masked(text, "mine.plan").substr(0, 2), text.substr(0, 2));
  }
}

TEST(SecretPlaces, TakeTimeLinearInALineThatOpensAndClosesNothing) {
  for (const std::string_view part :
       {"\"\\",   "'\"\\",      "${",           "password: \"\\\"", "password: [",
        "a: '",   "://a:",      "-u, \"",       "{password: ${",    "!secret \"",
        "token=", "token=\"",   "password ",    "password '",       ", '",
        "[[",     "a'b c",      "password: }",  "password: ,a ",    "run: x ",
        "\\\\",   "token\":\"", "\"token\": '", "authorization: "}) {
    for (const auto& [begin, size] : std::vector<std::pair<std::string, std::size_t>>{
             {"x: {password: ", 400'000}, {"x: ", 100'000}, {"run: [", 100'000}, {"- ", 100'000}}) {
      std::string text = begin;
      while (text.size() < size) text += part;
      for (const bool is_language : {false, true}) {
        std::uint32_t behind = 0;
        for (const SecretPlace& place : secret_places(text, is_language)) {
          ASSERT_LE(behind, place.begin);
          behind = place.end;
        }
        EXPECT_LE(behind, text.size());
      }
    }
  }
}

TEST(SecretMask, TakesSecretsOutOfMessagesToo) {
  SourceSet sources;
  const FileId file = sources.add("migration.yaml", "x: 1\nlogin: {password: !scret hunter2}\n");
  Diagnostic one;
  one.kind = Kind::unknown_tag;
  one.span = {file, 5, 10};
  one.message = "`hunter2` is not `hunter23`";
  one.help = {"not hunter2"};
  SecretMask mask(sources, {one});
  const Diagnostic shown = mask.masked(one);
  EXPECT_EQ(shown.message, "`********` is not `hunter23`");
  EXPECT_EQ(shown.help, std::vector<std::string>{"not ********"});
}

TEST(SecretMask, TakesAPartOfASecretOutOfAMessage) {
  SourceSet sources;
  const FileId file = sources.add("mine.plan", "login = { password = hunter2 of x }\n");
  Diagnostic one;
  one.kind = Kind::language_syntax;
  one.span = {file, 0, 5};
  one.message = "there is no `hunter2`";
  SecretMask mask(sources, {one});
  EXPECT_EQ(mask.masked(one).message, "there is no `********`");
  // A name ends where the secret goes on; a word of the house's own is none of it.
  const FileId more = sources.add("other.plan", "login = { password = plan-hunter2 }\n");
  one.span = {more, 0, 5};
  one.message = "a plan has no `plan` and no `hunter2`";
  EXPECT_EQ(mask.masked(one).message, "a plan has no `********` and no `********`");
}

TEST(SecretMask, TakesTheBeginningOfALongSecretOutOfAMessage) {
  const std::string secret(100, 'q');
  SourceSet sources;
  const FileId file = sources.add("migration.yaml", "token: " + secret + "\n");
  Diagnostic one;
  one.kind = Kind::bad_value;
  one.span = {file, 0, 5};
  one.message = "`" + secret.substr(0, 40) + "…` is none";
  SecretMask mask(sources, {one});
  EXPECT_EQ(mask.masked(one).message, "`********…` is none");
}

TEST(SecretMask, IsPointedAtAsAWhole) {
  SourceSet sources;
  const FileId file = sources.add("migration.yaml", "token: hunter2\n");
  Diagnostic one;
  one.kind = Kind::yaml_syntax;
  one.span = {file, 10, 11};
  one.message = "x";
  const std::string shown = render_terminal({one}, sources, {});
  EXPECT_NE(shown.find("    1 | token: ********\n      |        ^^^^^^^^\n"), std::string::npos)
      << shown;
}

TEST(SecretMask, ShowsTheNameOfAStepThatHasASecretInClear) {
  SourceSet sources;
  const FileId file = sources.add("mine.plan", "step own/relay : admin.upsert {\n}\n");
  Diagnostic told;
  told.kind = Kind::secret_in_clear;
  told.span = {file, 5, 14};
  told.message = "x";
  told.arguments = {{"step", "own/relay"}};
  const std::string shown = render_terminal({told}, sources, {});
  EXPECT_NE(shown.find("    1 | step own/relay : admin.upsert {\n"), std::string::npos) << shown;
}

TEST(SecretMask, ShowsOfAPlaceThatIsCalledASecretNothing) {
  SourceSet sources;
  const FileId file = sources.add("migration.yaml", "name: hunter2\n");
  Diagnostic told;
  told.kind = Kind::secret_in_clear;
  told.span = {file, 6, 13};
  Diagnostic other;
  other.kind = Kind::bad_value;
  other.span = {file, 0, 4};
  other.message = "x";
  const std::string shown = render_terminal({told, other}, sources, {});
  EXPECT_EQ(shown.find("hunter2"), std::string::npos) << shown;
  EXPECT_NE(shown.find("    1 | name: ********\n"), std::string::npos) << shown;
}

}  // namespace
}  // namespace plan
