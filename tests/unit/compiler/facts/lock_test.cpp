#include "compiler/facts/lock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "compiler/facts/digest_key.h"
#include "compiler/facts/given_facts.h"
#include "compiler/facts/limits.h"
#include "compiler/facts/lock_text.h"
#include "compiler/facts/measurement.h"
#include "compiler/facts/password_form.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"

namespace plan::facts {
namespace {

using ir::Value;

Value source_survey() {
  return Value::map(
      {{"versions", Value::map({{"dovecot", "2.3.19.1"}})},
       {"capabilities", Value::map({{"imap", ir::List{"IMAP4rev1", "QRESYNC"}}})},
       {"certificates", Value::map({{"imap", "ab"}})},
       {"domains", ir::List{"example.org"}},
       {"accounts",
        ir::List{Value::map({{"address", "Bob@Example.org"},
                             {"hash_scheme", "PLAIN"},
                             {"enabled", false},
                             {"mailboxes", ir::List{}}}),
                 Value::map({{"address", "alice@example.org"},
                             {"aliases", ir::List{"x,y@example.org", "alice@example.org"}},
                             {"quota_bytes", 5},
                             {"mailboxes", ir::List{"INBOX", "Ünder 100%", "a\tb", ""}}})}},
       {"lists", ir::List{Value::map({{"address", "team@example.org"},
                                      {"members", ir::List{"B@x.org", "a@x.org"}}})}}});
}

Value target_survey() {
  return Value::map(
      {{"version", "0.16.15"},
       {"limits", Value::map({{"max_size_upload", 50'000'000}})},
       {"resolves_names", false},
       {"throttles", ir::List{Value::map({{"description", "Sender IP throttle"},
                                          {"match", Value::map({{"else", "true"}})}})}},
       {"domains", ir::List{Value::map({{"name", "example.org"},
                                        {"catch_all", "a@example.org"},
                                        {"allows_relaying", true}})}}});
}

std::string sample() {
  auto lock = lock_from_surveys("name", source_survey(), target_survey());
  EXPECT_TRUE(lock.has_value());
  return write_lock(*lock);
}

struct Read {
  SourceSet sources;
  Sink sink;
  std::optional<Lock> lock;
  explicit Read(std::string text) {
    lock = read_lock(sources, sources.add("migration.lock", std::move(text)), sink);
  }
  [[nodiscard]] std::string first() const {
    const auto all = sink.sorted();
    return all.empty() ? "" : std::string(info(all[0].kind).name);
  }
};

TEST(Lock, KeepsALoginThatIsNoneOfTheAddresses) {
  Value survey = source_survey();
  Value accounts = survey["accounts"];
  const auto login_of = [&](std::size_t i, const char* login) {
    Value account = accounts.item(i);
    account.set("login", login);
    accounts.as_list()[i] = std::move(account);
  };
  login_of(0, "bob");
  login_of(1, "x,y@example.org");
  survey.set("accounts", accounts);
  const auto lock = lock_from_surveys("name", survey, target_survey());
  ASSERT_TRUE(lock.has_value());
  const std::string text = write_lock(*lock);
  const Read read(text);
  ASSERT_TRUE(read.lock.has_value()) << read.first();
  EXPECT_EQ(read.lock->account("bob@example.org")->login, "bob");
  EXPECT_EQ(read.lock->account("alice@example.org")->login, "") << "an alias says it already";
  EXPECT_EQ(write_lock(*read.lock), text);
}

TEST(Lock, TheSameWorldGivesTheSameBytesAndReadingGivesItBack) {
  const std::string text = sample();
  EXPECT_EQ(text, sample());
  const Read read(text);
  ASSERT_TRUE(read.lock.has_value()) << read.first();
  EXPECT_EQ(write_lock(*read.lock), text);
  const LockAccount* alice = read.lock->account("alice@example.org");
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->aliases, std::vector<std::string>{"x,y@example.org"})
      << "the own address is no alias";
  EXPECT_EQ(alice->mailboxes, (std::vector<std::string>{"", "INBOX", "a\tb", "Ünder 100%"}));
  EXPECT_EQ(read.sources.text(alice->span), "alice@example.org");
  ASSERT_NE(read.lock->account("bob@example.org"), nullptr) << "addresses are lower case";
  EXPECT_FALSE(read.lock->account("bob@example.org")->is_enabled);
  EXPECT_TRUE(read.lock->account("bob@example.org")->has_mailboxes)
      << "no mailbox is a measurement too";
  EXPECT_EQ(read.lock->list("team@example.org")->members,
            (std::vector<std::string>{"a@x.org", "b@x.org"}));
  EXPECT_EQ(read.lock->limit("target.max_size_upload"), 50'000'000U);
  EXPECT_EQ(read.lock->limit("target.max_message_bytes"), std::nullopt)
      << "not measured is not zero";
  EXPECT_EQ(read.lock->throttles.at(0).match["else"].string_or(""), "true");
  EXPECT_TRUE(read.lock->target_domains.at(0).allows_relaying);
}

TEST(Lock, EveryTruncationAndEveryChangedByteIsSeen) {
  const std::string text = sample();
  for (std::size_t size = 0; size < text.size(); ++size) {
    const Read read(text.substr(0, size));
    EXPECT_FALSE(read.lock.has_value()) << size;
    EXPECT_TRUE(read.sink.has_errors()) << size;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = damaged[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(Read(damaged).lock.has_value()) << i;
  }
}

TEST(Lock, LineEndsThatGitHasChangedAreSaid) {
  std::string text = sample();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.insert(at, "\r");
  const Read read(text);
  EXPECT_EQ(read.first(), "lock-syntax");
  const auto all = read.sink.sorted();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NE(all[0].help.at(0).find(".gitattributes"), std::string::npos);
}

TEST(Lock, TextBehindTheDigestUnsortedLinesAndNewFormatsAreRefused) {
  EXPECT_EQ(Read(sample() + "x\n").first(), "lock-edited");
  EXPECT_EQ(Read("plan-lock 2 x\n").first(), "lock-version");
  EXPECT_EQ(Read("{}").first(), "lock-syntax");
  const auto with_digest = [](std::string text) {
    return text + "digest " + ir::sha256(text).hex() + "\n";
  };
  EXPECT_TRUE(Read(with_digest("plan-lock 1 x\n# c\nversion a 1\nversion b 1\n")).lock.has_value());
  EXPECT_EQ(Read(with_digest("plan-lock 1 x\n# c\nversion b 1\nversion a 1\n")).first(),
            "lock-syntax");
  EXPECT_EQ(Read(with_digest("plan-lock 1 x\n# c\nversion a 1\nversion a 1\n")).first(),
            "lock-syntax");
  EXPECT_EQ(Read(with_digest("plan-lock 1 x\n# c\nsurprise a 1\n")).first(), "lock-syntax");
  EXPECT_EQ(Read(with_digest("plan-lock 1 x\n# c\naccount a@b.c quota=01\n")).first(),
            "lock-syntax");
  EXPECT_EQ(Read(with_digest("plan-lock 1 x\n# c\nmailboxes a@b.c names=INBOX\n")).first(),
            "lock-syntax");
}

TEST(Lock, HoldsNothingThatIsKeyedByTheFolderThatFetched) {
  const auto lock_of = [](const char* digest) {
    Value survey = source_survey();
    survey.set("accounts", ir::List{Value::map({{"address", "a@example.org"},
                                                {"hash_scheme", "SSHA"},
                                                {"hash_digest", digest}})});
    survey.set("lists", ir::List{});
    survey.set(
        "measurements",
        ir::List{Value::map({{"what", "account/a@example.org/hash-digest"}, {"value", digest}})});
    auto lock = lock_from_surveys("name", survey, target_survey());
    return lock ? write_lock(*lock) : lock.error().to_line();
  };
  EXPECT_EQ(lock_of("0aff"), lock_of("77ee"));
  EXPECT_NE(lock_of("0aff").find("account a@example.org hash=SSHA\n"), std::string::npos);
}

TEST(Lock, ADigestOfAHashInAnOlderLockIsReadAndNotWrittenAgain) {
  const auto with_digest = [](std::string text) {
    return text + "digest " + ir::sha256(text).hex() + "\n";
  };
  const Read old(with_digest(
      "plan-lock 1 x\n# c\naccount a@example.org hash=SSHA hash_digest=0aff quota=5\n"));
  ASSERT_TRUE(old.lock.has_value()) << old.first();
  ASSERT_EQ(old.lock->accounts.size(), 1U);
  EXPECT_EQ(old.lock->accounts[0].hash_scheme, "SSHA");
  EXPECT_EQ(old.lock->accounts[0].quota_bytes, 5U);
  EXPECT_NE(write_lock(*old.lock).find("account a@example.org hash=SSHA quota=5\n"),
            std::string::npos);
}

TEST(Lock, HoldsNoSecretAndNoMeasurement) {
  const std::string text = sample();
  EXPECT_EQ(text.find("$6$"), std::string::npos);
  EXPECT_EQ(text.find("usage"), std::string::npos);
}

TEST(Lock, WordsSurviveEscapingWhateverTheyHold) {
  for (const std::string& word :
       {std::string(), std::string("a b"), std::string("%"), std::string("a,b=c"),
        std::string("\xFF\x80"), std::string("é\n"), std::string(1, '\0')}) {
    const std::string escaped = escape_word(word);
    EXPECT_EQ(escaped.find_first_of(" ,\n"), std::string::npos);
    EXPECT_EQ(unescape_word(escaped), word);
  }
  for (const char* wrong : {"", "a b", "%2", "%zz", "%41", "%2c", "a,b"})
    EXPECT_EQ(unescape_word(wrong), std::nullopt) << wrong;
}

TEST(Lock, AChangedHostKeyIsNamed) {
  Lock known, fresh;
  known.host_keys = {{"source", "old"}};
  fresh.host_keys = {{"source", "new"}, {"target", "first seen"}};
  EXPECT_EQ(changed_identities(known, fresh),
            std::vector<std::string>{"host key of source was SHA256:old, is SHA256:new"});
  EXPECT_EQ(new_identities(known, fresh),
            std::vector<std::string>{"host key of target is SHA256:first seen"});
}

TEST(Lock, ALockThatWasBadlyMergedKeepsItsPins) {
  Lock known;
  known.host_keys = {{"source", "abc/+"}};
  known.certificates = {{"target.https", "00ff"}, {"proxy.edge 2", "11ee"}};
  std::string text = write_lock(known);
  text.insert(text.find("host-key"), "<<<<<<< ours\n");
  text.resize(text.size() - 20);
  SourceSet sources;
  Sink sink;
  EXPECT_FALSE(read_lock(sources, sources.add("migration.lock", text), sink).has_value());
  const Lock pins = identities_in(text);
  EXPECT_EQ(pins.host_keys, known.host_keys);
  EXPECT_EQ(pins.certificates, known.certificates);
}

TEST(Lock, SurveysOfTheWrongShapeAreErrorsThatNameTheMember) {
  const auto refused = [](const char* member, Value value) {
    Value survey = source_survey();
    survey.set(member, std::move(value));
    const auto lock = lock_from_surveys("n", survey, target_survey());
    return lock ? std::string("accepted") : lock.error().to_line();
  };
  EXPECT_NE(refused("accounts", "none").find("source.accounts"), std::string::npos);
  EXPECT_NE(refused("accounts", ir::List{Value::map()}).find("accounts[0]"), std::string::npos);
  EXPECT_NE(refused("versions", ir::List{}).find("source.versions"), std::string::npos);
  Value twice = source_survey();
  twice.set("accounts", ir::List{Value::map({{"address", "alice@example.org"}}),
                                 Value::map({{"address", "Alice@example.org"}})});
  const auto lock = lock_from_surveys("n", twice, target_survey());
  ASSERT_FALSE(lock);
  EXPECT_TRUE(test::told_as("bad-survey", lock.error()));
}

TEST(Measurements, LaterLinesCountAndWrongOnesAreSkippedWithAWarning) {
  SourceSet sources;
  Sink sink;
  const auto all = read_measurements(
      sources,
      sources.add("facts.jsonl",
                  "{\"what\":\"a\",\"value\":1}\nno "
                  "json\n\n{\"what\":\"a\",\"value\":2}\n{\"what\":\"b\",\"value\":null}"),
      sink);
  EXPECT_EQ(all.count("a"), 2U);
  EXPECT_EQ(all.count("b"), std::nullopt);
  ASSERT_NE(all.find("b"), nullptr) << "that it could not be told is known";
  EXPECT_EQ(sink.count(Severity::warning), 1U);
  EXPECT_FALSE(sink.has_errors());
}

TEST(Measurements, AFileOfOtherLinesIsNotReportedLineByLine) {
  SourceSet sources;
  Sink sink;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "x\n";
  const auto all = read_measurements(
      sources, sources.add("facts.jsonl", text + "{\"what\":\"a\",\"value\":1}\n"), sink);
  EXPECT_EQ(all.count("a"), 1U) << "what is behind them is read";
  ASSERT_EQ(sink.sorted().size(), kFactsProblemsMax + 1);
  EXPECT_EQ(sink.sorted().back().message,
            "of 1,000 lines that are no measurements this is the last");
}

TEST(Measurements, HaveTheNamesAndUnitsOfTheirPage) {
  const std::string page = test::read_all(test::repository() / "docs/formats/facts.md");
  for (const MeasuredName& one : measured_names()) {
    const std::string row =
        "| `" + std::string(one.name) + "` | `" + std::string(one.unit) + "` | ";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
  const std::string head = "| name | unit | value |\n|---|---|---|\n";
  const std::size_t table = page.find(head);
  ASSERT_NE(table, std::string::npos);
  std::istringstream rows(page.substr(table + head.size()));
  std::size_t count = 0;
  for (std::string row; std::getline(rows, row) && row.starts_with("| `");) ++count;
  EXPECT_EQ(count, measured_names().size()) << "the page has more than is measured";
}

TEST(Measurements, TellWhosePasswordIsAnotherOne) {
  const auto measured = [](std::vector<std::pair<const char*, Value>> values) {
    Measurements all;
    for (auto& [what, value] : values)
      all.add(
          {.what = what, .value = std::move(value), .unit = {}, .when = {}, .how = {}, .span = {}});
    return all;
  };
  const Measurements before = measured({{"account/same@x.org/hash-digest", "aa"},
                                        {"account/other@x.org/hash-digest", "bb"},
                                        {"account/gone@x.org/hash-digest", "cc"},
                                        {"account/unknown@x.org/hash-digest", {}},
                                        {"account/other@x.org/bytes", 5}});
  const Measurements now = measured({{"account/unknown@x.org/hash-digest", "dd"},
                                     {"account/other@x.org/hash-digest", "ee"},
                                     {"account/same@x.org/hash-digest", "aa"},
                                     {"account/other@x.org/bytes", 6},
                                     {"account/new@x.org/hash-digest", "ff"}});
  EXPECT_EQ(changed_passwords(before, now), std::vector<std::string>{"other@x.org"});
  EXPECT_TRUE(changed_passwords({}, now).empty());
  EXPECT_FALSE(is_other_digest_key(before, now)) << "an earlier program did not measure it";

  const Measurements then =
      measured({{kDigestKey.data(), "k1"}, {"account/a@x.org/hash-digest", "aa"}});
  const Measurements same =
      measured({{kDigestKey.data(), "k1"}, {"account/a@x.org/hash-digest", "bb"}});
  const Measurements anew =
      measured({{kDigestKey.data(), "k2"}, {"account/a@x.org/hash-digest", "cc"}});
  EXPECT_FALSE(is_other_digest_key(then, same));
  EXPECT_EQ(changed_passwords(then, same), std::vector<std::string>{"a@x.org"});
  EXPECT_TRUE(is_other_digest_key(then, anew));
  EXPECT_TRUE(changed_passwords(then, anew).empty())
      << "other digests say nothing with another key";
}

TEST(PasswordForms, NamesAreComparedWithoutCaseAndUnknownOnesSaySo) {
  EXPECT_EQ(password_form("sha512-crypt").verdict, PasswordVerdict::rewrite);
  EXPECT_EQ(password_form("CRYPT:$y$").verdict, PasswordVerdict::refuse);
  EXPECT_EQ(password_form("CRYPT:$6$").verdict, PasswordVerdict::keep);
  EXPECT_EQ(password_form("ROT13").verdict, PasswordVerdict::unknown);
  EXPECT_EQ(scheme_name("CRYPT:$6$"), "CRYPT");
}

/// The form of a recorded secret, as the source's driver would write it into a survey.
std::string recorded_form(std::string_view secret) {
  if (secret.starts_with('{')) {
    const std::size_t end = secret.find('}');
    std::string name(secret.substr(1, end - 1));
    const std::string_view rest = secret.substr(end + 1);
    if ((name == "CRYPT" || name == "crypt") && rest.starts_with('$'))
      return "CRYPT:" + std::string(rest.substr(0, rest.find('$', 1) + 1));
    if (name == "MD5" && rest.starts_with("$1$")) return "MD5:$1$";
    if (name == "PBKDF2") return "PBKDF2:" + std::string(rest.substr(0, rest.find('$', 1) + 1));
    if (name == "SCRYPT") return "SCRYPT:$scrypt$";
    return name;
  }
  if (secret.starts_with('$'))
    return "CRYPT:" + std::string(secret.substr(0, secret.find('$', 1) + 1));
  return {};
}

TEST(PasswordForms, NeverKeepWhatTheRealServerTookForAPassword) {
  PLAN_SHARED(path, "data/transcripts/stalwart-0.16-admin/password-hashes.json");
  const auto document = ir::parse_json(test::read_all(path));
  ASSERT_TRUE(document.has_value());
  // Damaged hashes of a good form: the driver sees the text and refuses them at apply.
  const std::vector<std::string> damaged = {
      "sha-nopad",     "sha256-nopad",   "sha-hex",        "invalid-salt", "short-6",
      "argon2-nohash", "bcrypt-59",      "trailing-space", "trailing-nl",  "crypt-des",
      "crypt-bsdi",    "pbkdf2-passlib", "brace",          "colon-hash"};
  std::size_t compared = 0;
  const Value& rows = (*document)["rows"];
  for (const Value& row : rows.items()) {
    const std::string key(row["key"].string_or(""));
    const std::string form = recorded_form(row["secret"].string_or(""));
    if (form.empty() || std::find(damaged.begin(), damaged.end(), key) != damaged.end()) continue;
    const PasswordVerdict verdict = password_form(form).verdict;
    if (row["verdict"].string_or("") == "usable") {
      EXPECT_EQ(verdict, PasswordVerdict::keep) << key << " " << form;
    } else {
      EXPECT_NE(verdict, PasswordVerdict::keep) << key << " " << form;
    }
    ++compared;
  }
  EXPECT_GT(compared, 60U);
}

}  // namespace
}  // namespace plan::facts
