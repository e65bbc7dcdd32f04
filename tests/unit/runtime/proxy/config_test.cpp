#include "runtime/proxy/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"
#include "tests/support/told_error.h"

namespace plan::proxy {
namespace {

constexpr std::string_view kGood = R"([server]
name = "mail.test"
map = "/var/lib/x.map"
certificate = "/etc/c.pem"
key = "/etc/c.key"
[limits]
login_timeout = "30s"
[control]
unix = "/run/x.sock"
token_file = "/etc/token"
[listener.imaps]
protocol = "imap"
port = 993
tls = "implicit"
[listener.mx]
protocol = "smtp"
port = 25
[destination.source]
address = "10.9.0.2"
announce = "native"
imap = {port = 143, tls = "starttls"}
smtp = {port = 10025, announce = "proxy-v1"}
[destination.target]
address = "10.9.0.1"
imap = {port = 993, tls = "implicit"}
)";

std::vector<ConfigProblem> problems_of(const std::string& text) {
  std::vector<ConfigProblem> problems;
  const bool is_read = read_config(text, problems).has_value();
  EXPECT_EQ(is_read, problems.empty());
  return problems;
}

std::string with(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ProxyConfig, IsRead) {
  std::vector<ConfigProblem> problems;
  const auto config = read_config(kGood, problems);
  for (const ConfigProblem& problem : problems)
    ADD_FAILURE() << problem.line << ": " << problem.message;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server_name, "mail.test");
  EXPECT_EQ(config->login_timeout, std::chrono::seconds(30));
  ASSERT_EQ(config->listeners.size(), 2U);
  EXPECT_EQ(config->destinations.at("source").endpoints.at(Protocol::imap).tls, TlsMode::starttls);
  EXPECT_EQ(config->destinations.at("source").endpoints.at(Protocol::smtp).announce,
            Announce::proxy_v1);
  EXPECT_EQ(config->default_destination, "source");
}

TEST(ProxyConfig, TheSampleOfTheDocumentIsGood) {
  const std::string document = test::read_all(test::repository() / "docs/formats/proxy.md");
  const std::size_t begin = document.find("```toml\n") + 8;
  const std::string sample = document.substr(begin, document.find("```", begin) - begin);
  for (const ConfigProblem& problem : problems_of(sample))
    ADD_FAILURE() << problem.line << ": " << problem.message;
}

struct Broken {
  std::string from, to;
  int line;
  std::string said;
};

TEST(ProxyConfig, SaysWhatIsWrongAndWhere) {
  for (const Broken& c : {
           Broken{"login_timeout = \"30s\"", "login_timeout = 30", 7, "duration"},
           Broken{"login_timeout", "login_timout", 7, "did you mean `login_timeout`"},
           Broken{"port = 993\ntls = \"implicit\"\n[listener.mx]",
                  "port = 70000\ntls = \"implicit\"\n[listener.mx]", 13,
                  "a number from 0 to 65535"},
           Broken{"protocol = \"imap\"", "protocol = \"jmap\"", 12,
                  "one of imap, pop3, sieve, submission, smtp"},
           Broken{"tls = \"implicit\"\n[listener.mx]", "[listener.mx]", 11,
                  "nobody can log in without TLS"},
           Broken{"announce = \"proxy-v1\"", "tls = \"none\"", 22, "open relay"},
           Broken{"unix = \"/run/x.sock\"\n", "", 8, "without it plan cannot drive this proxy"},
           Broken{"key = \"/etc/c.key\"\n", "", 1, "only one of `certificate` and `key`"},
           Broken{"map = \"/var/lib/x.map\"\n", "", 1, "needs `map`"},
           Broken{"imap = {port = 993, tls = \"implicit\"}", "sieve = {port = 4190}", 0,
                  "[destination.target] has no `imap`"},
           Broken{"[destination.source]", "[destination.sauce]", 0,
                  "there is no [destination.source]"},
           Broken{"[server]", "[server", 1, "not TOML"},
           Broken{"address = \"10.9.0.2\"", "address = \"10.9.0.2\"\ncertificate_sha256 = \"12\"",
                  18, "64 hex digits"},
           Broken{"[limits]", "[wings]", 6, "unknown key `wings`"},
           Broken{"[limits]", "[{imits]", 0, "not TOML"},
           Broken{"[limits]", "[limits]\nƻ = 1", 7, "not TOML"},
       }) {
    bool is_found = false;
    std::string all;
    for (const ConfigProblem& problem : problems_of(with(c.from, c.to))) {
      all += std::to_string(problem.line) + ": " + problem.message + "\n";
      is_found =
          is_found || (problem.line == c.line && problem.message.find(c.said) != std::string::npos);
    }
    EXPECT_TRUE(is_found) << c.from << " -> " << c.to << "\n" << all;
  }
}

TEST(ProxyConfig, ALetterBeyondAsciiIsNoKeyWhereverItStands) {
  // The library's tables of white space have undefined behaviour for some of them: each one is
  // tried before a key, after one, after a value, and after a quote that does not close.
  for (char32_t letter = 0x80; letter <= 0xffff; letter += letter < 0x500 ? 1 : 11) {
    if (letter >= 0xd800 && letter <= 0xdfff) continue;
    std::string bytes;
    if (letter < 0x800) {
      bytes = {static_cast<char>(0xc0U | letter >> 6U)};
    } else {
      bytes = {static_cast<char>(0xe0U | letter >> 12U),
               static_cast<char>(0x80U | (letter >> 6U & 0x3fU))};
    }
    bytes += static_cast<char>(0x80U | (letter & 0x3fU));
    for (const std::string& text : {bytes + " = 1", "a" + bytes + " = 1", "a = 1" + bytes,
                                    "a = 'b\n" + bytes + " = 1", "a = \"\\" + bytes + "\""}) {
      std::vector<ConfigProblem> problems;
      const bool is_read = read_config(text, problems).has_value();
      ASSERT_TRUE(!is_read && !problems.empty()) << text;
    }
  }
}

TEST(ProxyConfig, HttpIsNoProtocolOfOurs) {
  // A peer that passes HTTP on has rules by path that `..` gets around, lets a backend invite its
  // clients elsewhere (Alt-Svc), and answers 421 to a login in two requests. Ours passes no HTTP.
  for (const std::string protocol : {"http", "https", "jmap", "caldav"}) {
    const auto problems =
        problems_of(with("protocol = \"imap\"", "protocol = \"" + protocol + "\""));
    ASSERT_EQ(problems.size(), 1U) << protocol;
    EXPECT_NE(problems[0].message.find("one of imap, pop3, sieve, submission, smtp"),
              std::string::npos)
        << problems[0].message;
  }
  const auto problems =
      problems_of(with("imap = {port = 143, tls = \"starttls\"}",
                       "imap = {port = 143, tls = \"starttls\"}\nhttp = {port = 443}"));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].message.find("`http`"), std::string::npos) << problems[0].message;
}

TEST(ProxyConfig, LettersBeyondAsciiAreWelcomeInCommentsAndStrings) {
  for (const char* line : {"# für ƻ\n[limits]", "# \"ƻ\n[limits]", "# it's ƻ\n[limits]"}) {
    EXPECT_TRUE(problems_of(with("[limits]", line)).empty()) << line;
  }
}

TEST(ProxyConfig, ShowsAllProblemsAtOnce) {
  EXPECT_GE(problems_of("[server]\nnom = 1\n[limits]\nconnections = 0\n").size(), 5U);
}

TEST(ProxyConfig, ThatIsWrongIsNotUsed) {
  test::TempDir folder;
  std::ofstream(folder.file("proxy.toml"))
      << with("login_timeout = \"30s\"", "login_timout = \"30s\"\nconnections = 0");
  const auto loaded = load_config(folder.file("proxy.toml"));
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(test::told_as("proxy-config", loaded.error()));
}

TEST(ProxyConfig, SurvivesEveryTruncation) {
  for (std::size_t size = 0; size < kGood.size(); ++size) {
    std::vector<ConfigProblem> problems;
    const auto config = read_config(kGood.substr(0, size), problems);
    EXPECT_EQ(config.has_value(), problems.empty());
  }
}

TEST(ProxyConfig, ChecksTheFilesItNames) {
  test::TempDir folder;
  ProxyConfig config;
  config.certificate = folder.file("a.pem");
  config.key = folder.file("b.key");
  config.map_file = folder.file("x.map");
  config.control.token_file = folder.file("token");
  ListenerConfig listener;
  listener.tls = TlsMode::implicit;
  config.listeners.push_back(listener);
  static_cast<void>(test::make_certificate(folder.file("a.pem"), folder.file("a.key"), "a.test"));
  static_cast<void>(test::make_certificate(folder.file("b.pem"), folder.file("b.key"), "b.test"));
  std::ofstream(folder.file("token")) << "0123456789abcdef\n";
  std::ofstream(folder.file("x.map")) << "something else\n";
  const auto problems = check_files(config);
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_NE(problems[0].message.find("belong"), std::string::npos);
  EXPECT_NE(problems[1].message.find("read by others"), std::string::npos);
  EXPECT_NE(problems[2].message.find("map-corrupt"), std::string::npos);
  config.key = folder.file("a.key");
  std::filesystem::permissions(folder.file("token"), std::filesystem::perms::owner_read);
  std::filesystem::remove(folder.file("x.map"));
  for (const ConfigProblem& problem : check_files(config)) ADD_FAILURE() << problem.message;
}

}  // namespace
}  // namespace plan::proxy
