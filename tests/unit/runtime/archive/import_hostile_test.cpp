// A source that stops being a good IMAP server in the middle of the copy: whatever it says, the
// import ends, names the place, and the archive has what came whole; once the server is good again
// every message is there once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include "compiler/source/text.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/stream.h"
#include "tests/support/temp_dir.h"

using namespace plan;
using namespace plan::archive;
using namespace std::chrono_literals;

namespace {

/// What the server does in place of the message with UID 3.
enum class Fault : std::uint8_t {
  none,
  html,
  cut_in_literal,
  silence,
  literal_too_short,
  literal_too_long,
  literal_of_half_the_numbers,
  literal_over_the_limit,
  nul_in_a_line,
  foreign_messages_without_end,
  lines_without_end,
  bye,
};

constexpr std::uint32_t kMessages = 6;

std::string body_of(std::uint32_t uid) {
  return fmt::format("From: a@example.org\r\nSubject: message {}\r\n\r\nbody {}\r\n", uid, uid);
}

/// One mailbox with six messages, good but for its fault; one thread for each connection.
class HostileServer {
 public:
  HostileServer() : listener_(std::move(*net::listen_tcp("127.0.0.1", 0))) {
    accepts_ = std::thread([this] { accept(); });
  }
  ~HostileServer() {
    is_over = true;
    listener_->close();
    accepts_.join();
    for (std::thread& talk : talks_) talk.join();
  }
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

  std::atomic<Fault> fault{Fault::none};
  std::atomic<int> faults_left{0};
  std::atomic<bool> is_backwards{false};  ///< messages in falling order, a foreign one and a double
  std::atomic<bool> is_gone{false};       ///< the mailbox, from the first FETCH of messages on
  std::atomic<bool> is_over{false};
  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }

 private:
  void accept() {
    while (true) {
      auto accepted = listener_->accept();
      if (!accepted) return;
      talks_.emplace_back([this, stream = std::shared_ptr<net::SocketStream>(
                                     std::move(*accepted))] { talk(*stream); });
    }
  }

  /// False: the connection is over.
  static bool say(net::Stream& stream, std::string_view text) {
    return stream.write_all(text, net::Deadline::after(60s)).has_value();
  }

  static std::string fetched(std::uint32_t uid) {
    const std::string body = body_of(uid);
    return fmt::format(
        "* {} FETCH (UID {} FLAGS (\\Seen) INTERNALDATE \"12-May-2025 10:00:00 +0000\" RFC822.SIZE "
        "{} BODY[] {{{}}}\r\n{})\r\n",
        uid, uid, body.size(), body.size(), body);
  }

  /// Plays the fault; false: the connection is over.
  bool misbehave(net::SocketStream& stream) {
    const std::string body = body_of(3);
    const auto literal = [&](const std::string& size) {
      return fmt::format("* 3 FETCH (UID 3 FLAGS () BODY[] {{{}}}\r\n{})\r\n", size, body);
    };
    switch (fault.load()) {
      case Fault::none:
        return true;
      case Fault::html:
        return say(stream, "<html><body>504 Gateway Timeout</body></html>\r\n");
      case Fault::cut_in_literal:
        say(stream, literal(std::to_string(body.size())).substr(0, 60));
        stream.close();
        return false;
      case Fault::silence: {
        std::array<char, 100> rest;
        while (true) {
          auto count = stream.read_some(rest.data(), rest.size(), net::Deadline::after(60s));
          if (!count || *count == 0) return false;
        }
      }
      case Fault::literal_too_short:
        return say(stream, literal(std::to_string(body.size() - 7)));
      case Fault::literal_too_long:
        return say(stream, literal(std::to_string(body.size() + 7)));
      case Fault::literal_of_half_the_numbers:
        return say(stream, literal("9223372036854775808"));
      case Fault::literal_over_the_limit:
        return say(stream, literal("1048577"));
      case Fault::nul_in_a_line:
        return say(stream, std::string("* 3 FETCH (UID 3 FLAGS (\\Se") + '\0' + "en))\r\n");
      case Fault::foreign_messages_without_end:
        for (std::uint32_t uid = 1000; say(stream, fetched(uid)); ++uid) {
        }
        return false;
      case Fault::lines_without_end:
        while (say(stream, "* OK still here\r\n")) {
        }
        return false;
      case Fault::bye:
        say(stream, "* BYE too busy\r\n");
        stream.close();
        return false;
    }
    return true;
  }

  void talk(net::SocketStream& stream) {
    net::LineReader reader(stream, 1 << 16);
    if (!say(stream, "* OK [CAPABILITY IMAP4rev1] hi\r\n")) return;
    while (!is_over) {
      auto line = reader.line(net::Deadline::after(60s));
      if (!line) return;
      const auto words = split(*line, ' ');
      if (words.size() < 2) return;
      const std::string tag(words[0]);
      const std::string_view verb = words[1];
      const std::string_view what = words.size() > 2 ? words[2] : std::string_view();
      std::string untagged;
      std::string answer = "OK done";
      if (verb == "CAPABILITY") {
        untagged = "* CAPABILITY IMAP4rev1\r\n";
      } else if (verb == "LIST" || verb == "LSUB") {
        untagged = fmt::format("* {} () \"/\" INBOX\r\n", verb);
      } else if (verb == "EXAMINE") {
        if (is_gone && was_read_)
          answer = "NO [NONEXISTENT] there is no such mailbox";
        else
          untagged = fmt::format(
              "* FLAGS (\\Seen)\r\n* {} EXISTS\r\n* OK [UIDVALIDITY 7] so\r\n* OK [UIDNEXT 7] "
              "so\r\n",
              kMessages);
      } else if (verb == "UID" && what == "SEARCH") {
        untagged = "* SEARCH 1 2 3 4 5 6\r\n";
      } else if (verb == "UID" && line->find("BODY") == std::string::npos) {
        for (std::uint32_t uid = 1; uid <= kMessages; ++uid)
          untagged += fmt::format("* {} FETCH (UID {} FLAGS (\\Seen))\r\n", uid, uid);
      } else if (verb == "UID") {
        was_read_ = true;
        if (is_gone) {
          answer = "NO [NONEXISTENT] it went away";
        } else if (!send_messages(stream, words[3])) {
          return;
        }
      } else if (verb == "LOGOUT") {
        say(stream, "* BYE\r\n" + tag + " OK\r\n");
        return;
      }
      if (!say(stream, untagged + tag + " " + answer + "\r\n")) return;
    }
  }

  bool send_messages(net::SocketStream& stream, std::string_view set) {
    const auto asked = net::imap::parse_uid_set(set);
    if (!asked) return false;
    std::vector<std::uint32_t> uids;
    for (std::uint32_t uid = 1; uid <= kMessages; ++uid)
      if (asked->contains(uid)) uids.push_back(uid);
    if (is_backwards) {
      std::reverse(uids.begin(), uids.end());
      if (!say(stream, fetched(99))) return false;
      uids.push_back(uids.front());
    }
    for (const std::uint32_t uid : uids) {
      if (uid == 3 && faults_left > 0) {
        --faults_left;
        if (!misbehave(stream)) return false;
      }
      if (!say(stream, fetched(uid))) return false;
    }
    return true;
  }

  std::unique_ptr<net::Listener> listener_;
  std::vector<std::thread> talks_ = {};  // only touched by accepts_, until that has ended
  std::thread accepts_ = {};
  std::atomic<bool> was_read_{false};
};

class HostileSource : public testing::Test {
 protected:
  HostileSource() { begin("a", Fault::none, 0); }

  /// An archive of its own, and a server that stumbles so often.
  void begin(const std::string& name, Fault fault, int times) {
    auto archive = ArchiveFile::open(directory_.file(name + ".sqlite"));
    if (!archive) throw std::runtime_error(archive.error().to_line());
    archive_ = std::make_unique<ArchiveFile>(std::move(*archive));
    server_.fault = fault;
    server_.faults_left = times;
  }

  ImapSource source(std::chrono::milliseconds silence_max = 60s) {
    net::imap::ClientOptions options;
    options.silence_max = silence_max;
    options.limits.literal_bytes_max = 1 << 20U;
    options.limits.responses_max = 1000;
    return {.connect =
                [this, options] {
                  net::imap::Endpoint endpoint;
                  endpoint.host = "127.0.0.1";
                  endpoint.port = server_.port();
                  endpoint.security = net::imap::Security::none;
                  return net::imap::Client::connect(endpoint, options);
                },
            .identity = {.kind = "imap",
                         .session_url = "imap://127.0.0.1:143",
                         .account_id = "alice@example.org"}};
  }

  /// The bodies of the archive's messages.
  std::multiset<std::string> bodies() {
    std::multiset<std::string> found;
    auto rows = archive_->database().prepare(
        "SELECT p.uid, e.blob_id FROM emails e JOIN plan_item p ON p.email_id = e.id");
    EXPECT_TRUE(rows);
    while (*rows->step()) {
      auto bytes = archive_->blob(rows->integer(1));
      found.insert(bytes ? *bytes : bytes.error().to_line());
    }
    return found;
  }
  static std::multiset<std::string> all() {
    std::multiset<std::string> bodies;
    for (std::uint32_t uid = 1; uid <= kMessages; ++uid) bodies.insert(body_of(uid));
    return bodies;
  }
  void the_next_pass_completes_it() {
    server_.fault = Fault::none;
    server_.is_gone = false;
    const auto good = import_imap(*archive_, source());
    ASSERT_TRUE(good) << good.error().to_line();
    EXPECT_TRUE(good->problems.empty());
    EXPECT_EQ(bodies(), all());
  }

  HostileServer server_;
  test::TempDir directory_;
  std::unique_ptr<ArchiveFile> archive_;
};

struct Case {
  Fault fault = Fault::none;
  const char* name = "";
  const char* says = "";  ///< in the problem or the error
};

const std::vector<Case> kCases = {
    {Fault::html, "html", ""},
    {Fault::cut_in_literal, "cut in a literal", ""},
    {Fault::literal_too_short, "a literal that is longer than said", ""},
    {Fault::literal_too_long, "a literal that is shorter than said", ""},
    {Fault::literal_of_half_the_numbers, "a literal of 2^63", ""},
    {Fault::literal_over_the_limit, "a literal over the limit", ""},
    {Fault::nul_in_a_line, "NUL", ""},
    {Fault::foreign_messages_without_end, "foreign messages without end", "come to an end"},
    {Fault::lines_without_end, "lines without end", "come to an end"},
    {Fault::bye, "BYE", "ends the connection"},
};

}  // namespace

TEST_F(HostileSource, ThatStumblesOnceCostsNothing) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.name);
    begin(one.name, one.fault, 1);
    const auto report = import_imap(*archive_, source());
    ASSERT_TRUE(report) << report.error().to_line();
    EXPECT_EQ(server_.faults_left, 0);
    EXPECT_TRUE(report->problems.empty()) << report->problems.front().text;
    EXPECT_EQ(bodies(), all());
  }
}

TEST_F(HostileSource, ThatNeverGivesAMessageKeepsThatOneAloneFromTheArchive) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.name);
    begin(std::string(one.name) + " always", one.fault, 1'000'000);
    const auto report = import_imap(*archive_, source());
    ASSERT_TRUE(report) << report.error().to_line();
    ASSERT_EQ(report->problems.size(), 1U);
    EXPECT_EQ(report->problems[0].mailbox, "INBOX");
    EXPECT_EQ(report->problems[0].uid, 3U);
    EXPECT_NE(report->problems[0].text.find(one.says), std::string::npos)
        << report->problems[0].text;
    std::multiset<std::string> others = all();
    others.erase(body_of(3));
    EXPECT_EQ(bodies(), others);
    server_.faults_left = 0;
    the_next_pass_completes_it();
  }
}

TEST_F(HostileSource, ThatFallsSilentIsLeftAtTheBound) {
  server_.fault = Fault::silence;
  server_.faults_left = 1;
  const auto report = import_imap(*archive_, source(5s));
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(server_.faults_left, 0);
  EXPECT_EQ(bodies(), all());
}

TEST_F(HostileSource, ThatSendsInAnyOrderTwiceAndWhatNobodyAskedForAddsNothing) {
  server_.is_backwards = true;
  const auto report = import_imap(*archive_, source());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->created, kMessages);
  EXPECT_EQ(bodies(), all());
}

TEST_F(HostileSource, ThatLosesTheMailboxMeanwhileIsToldWithIt) {
  server_.is_gone = true;
  const auto report = import_imap(*archive_, source());
  ASSERT_TRUE(report) << report.error().to_line();
  ASSERT_FALSE(report->problems.empty());
  EXPECT_EQ(report->problems[0].mailbox, "INBOX");
  EXPECT_EQ(bodies(), std::multiset<std::string>());
  the_next_pass_completes_it();
}
