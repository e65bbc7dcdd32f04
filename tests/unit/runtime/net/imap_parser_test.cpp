#include "runtime/net/imap/parser.h"

#include <gtest/gtest.h>

#include "compiler/source/text.h"
#include "runtime/net/imap/date.h"
#include "runtime/net/imap/mailbox_name.h"
#include "tests/support/shared_data.h"

using namespace plan;
using namespace plan::net::imap;

namespace {

std::string whole_talk() {
  std::string text =
      "* OK [CAPABILITY IMAP4rev1 ENABLE] ready {5}\r\n"
      "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent \\\"x\\\\\"\r\n"
      "* LIST () NIL 2024\r\n"
      "* LIST () \".\" {3}\r\na\r\n\r\n"
      "* 12 FETCH (UID 7 FLAGS (\\Seen a:b) BODY[] ~{6}\r\nhe";
  text += '\0';
  text +=
      "lo} MODSEQ (9) BODY[HEADER.FIELDS (From)] NIL)\r\n"
      "* VANISHED (EARLIER) 41,43:116\r\n"
      "* OK [PERMANENTFLAGS (\\Seen a]b \\*)] Limited\r\n"
      "+ idling {7}\r\n"
      "p1 OK [READ-ONLY] done\r\n";
  return text;
}

Result<std::vector<Response>> read_in_pieces(const std::string& bytes,
                                             const std::vector<std::size_t>& cuts,
                                             const Limits& limits = {}) {
  ResponseParser parser(limits);
  std::vector<Response> responses;
  std::size_t begin = 0;
  for (std::size_t index = 0; index <= cuts.size(); ++index) {
    const std::size_t end = index < cuts.size() ? cuts[index] : bytes.size();
    parser.feed(std::string_view(bytes).substr(begin, end - begin));
    begin = end;
    while (true) {
      auto response = parser.next();
      if (!response) return std::move(response.error());
      if (!*response) break;
      responses.push_back(std::move(**response));
    }
  }
  return responses;
}

void expect_talk(const std::vector<Response>& responses) {
  ASSERT_EQ(responses.size(), 9U);
  EXPECT_EQ(responses[0].code, "CAPABILITY");
  EXPECT_EQ(responses[0].text, "ready {5}");
  EXPECT_EQ(responses[1].items[2].text, "Sent \"x\\");
  EXPECT_EQ(responses[2].items[2].text, "2024");
  EXPECT_TRUE(responses[2].items[1].is_nil());
  EXPECT_EQ(responses[3].items[2].text, "a\r\n");
  EXPECT_EQ(responses[4].number, 12U);
  const auto& fetch = responses[4].items[0].items;
  ASSERT_EQ(fetch.size(), 10U);
  EXPECT_EQ(fetch[3].items[1].text, "a:b");
  EXPECT_EQ(fetch[5].text, std::string("he\0lo}", 6));
  EXPECT_EQ(fetch[7].items[0].number(), 9U);
  EXPECT_EQ(fetch[8].text, "BODY[HEADER.FIELDS (From)]");
  EXPECT_EQ(responses[5].items[1].text, "41,43:116");
  EXPECT_EQ(responses[6].code_text, "(\\Seen a]b \\*)");
  EXPECT_EQ(responses[7].kind, Response::Kind::continuation);
  EXPECT_EQ(responses[8].tag, "p1");
  EXPECT_EQ(responses[8].code, "READ-ONLY");
}

std::string error_name(const std::string& bytes, const Limits& limits = {}) {
  auto read = read_in_pieces(bytes, {}, limits);
  return read ? "" : std::string(read.error().code().name);
}

}  // namespace

TEST(ImapParser, ReadsATalkAtOnceAndCutAtEveryByte) {
  const std::string text = whole_talk();
  auto at_once = read_in_pieces(text, {});
  ASSERT_TRUE(at_once) << at_once.error().to_line();
  expect_talk(*at_once);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    auto cut_once = read_in_pieces(text, {cut});
    ASSERT_TRUE(cut_once) << cut;
    ASSERT_NO_FATAL_FAILURE(expect_talk(*cut_once)) << cut;
  }
  std::vector<std::size_t> all;
  for (std::size_t cut = 1; cut < text.size(); ++cut) all.push_back(cut);
  auto bytewise = read_in_pieces(text, all);
  ASSERT_TRUE(bytewise);
  expect_talk(*bytewise);
}

TEST(ImapParser, ATruncatedTalkGivesOnlyWholeResponses) {
  const std::string text = whole_talk();
  for (std::size_t size = 0; size < text.size(); ++size) {
    auto read = read_in_pieces(text.substr(0, size), {});
    ASSERT_TRUE(read) << size;
    EXPECT_LT(read->size(), 9U);
  }
}

TEST(ImapParser, RefusesALiteralOneByteOverTheLimit) {
  const Limits limits{.literal_bytes_max = 10};
  EXPECT_EQ(error_name("* 1 FETCH (UID 1 BODY[] {10}\r\n0123456789)\r\n", limits), "");
  EXPECT_EQ(error_name("* 1 FETCH (UID 1 BODY[] {11}\r\n", limits), "answer-too-large");
  EXPECT_EQ(error_name("* 1 FETCH (A {6}\r\n012345 B {5}\r\n", limits), "answer-too-large");
  EXPECT_EQ(error_name("* 1 FETCH (BODY[] {99999999999999999999999}\r\n", limits),
            "answer-too-large");
}

TEST(ImapParser, RefusesALineOneByteOverTheLimit) {
  const Limits limits{.line_bytes_max = 20};
  EXPECT_EQ(error_name("* OK " + std::string(15, 'x') + "\r\n", limits), "");
  EXPECT_EQ(error_name("* OK " + std::string(16, 'x') + "\r\n", limits), "line-too-long");
  EXPECT_EQ(error_name("* OK " + std::string(17, 'x'), limits), "line-too-long");  // endless
}

TEST(ImapParser, RefusesListsOneDeeperThanTheLimitAndOneItemTooMany) {
  const Limits limits{.list_depth_max = 3, .items_max = 5};
  EXPECT_EQ(error_name("* FLAGS (((a)))\r\n", limits), "");
  EXPECT_EQ(error_name("* FLAGS ((((a))))\r\n", limits), "protocol-violation");
  EXPECT_EQ(error_name("* FLAGS (a b c d)\r\n", limits), "");
  EXPECT_EQ(error_name("* FLAGS (a b c d e)\r\n", limits), "protocol-violation");
}

TEST(ImapParser, RefusesWhatIsNoImap) {
  EXPECT_EQ(error_name(std::string("* OK a\0b\r\n", 10)), "protocol-violation");
  EXPECT_EQ(error_name("HTTP/1.1 400 Bad Request\r\n"), "protocol-violation");
  EXPECT_EQ(error_name("\r\n"), "protocol-violation");
  EXPECT_EQ(error_name("* FLAGS (a\r\n"), "protocol-violation");
  EXPECT_EQ(error_name("* FLAGS a)\r\n"), "protocol-violation");
  EXPECT_EQ(error_name("* LIST () \"/\" \"open\r\n"), "protocol-violation");
  EXPECT_EQ(error_name("* 1 FETCH (BODY[TEXT )\r\n"), "protocol-violation");
}

TEST(ImapParser, ReadsUidSetsAndRefusesWhatNoServerMaySend) {
  const auto set = parse_uid_set("9,1:3,4,7:6");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->to_string(), "1:4,6:7,9");
  EXPECT_EQ(set->count(), 7U);
  EXPECT_TRUE(set->contains(4));
  EXPECT_FALSE(set->contains(5));
  for (const char* bad : {"", "0", "1:*", "1,,2", "1:", "4294967296", "-1", "1 2"})
    EXPECT_FALSE(parse_uid_set(bad)) << bad;
}

TEST(ImapMailboxName, GoesBothWays) {
  for (const auto& [wire, name] :
       std::vector<std::pair<std::string, std::string>>{{"INBOX", "INBOX"},
                                                        {"&AOk-t&AOk-", "été"},
                                                        {"A&-B", "A&B"},
                                                        {"&ZeVnLIqe-", "日本語"},
                                                        {"&2D3eAA-", "😀"},
                                                        {"&AAk-", "\t"}}) {
    EXPECT_EQ(decode_mailbox_name(wire), name);
    EXPECT_EQ(encode_mailbox_name(name), wire);
  }
  EXPECT_EQ(decode_mailbox_name("Müller"), "Müller");  // raw UTF-8 of servers that know no better
}

TEST(ImapMailboxName, RefusesBrokenShifts) {
  for (const char* bad : {"&", "&AOk", "&AO-", "&2D0-", "&3gA-", "&AAA-", "&*-", "\xff"})
    EXPECT_FALSE(decode_mailbox_name(bad)) << bad;
  EXPECT_FALSE(encode_mailbox_name("\xff"));
}

TEST(ImapMailboxName, AgreesWithRecordedFolders) {
  PLAN_SHARED(path, "data/mail/folders.tsv");
  std::size_t count = 0;
  const std::string table = test::read_all(path);
  for (const std::string_view line : split(table, '\n')) {
    const auto columns = split(line, '\t');
    if (columns.size() < 3 || columns[0].empty()) continue;
    const auto decoded = decode_mailbox_name(columns[0]);
    if (!decoded || *decoded != columns[1]) continue;
    if (const auto encoded = encode_mailbox_name(*decoded); encoded == columns[0]) ++count;
  }
  EXPECT_GT(count, 60U);  // the others are not canonical
}

TEST(ImapDate, ReadsAndWritesInternalDates) {
  const auto at = parse_internal_date("12-May-2025 10:00:00 +0200");
  ASSERT_TRUE(at);
  EXPECT_EQ(at->rfc3339(), "2025-05-12T10:00:00+02:00");
  EXPECT_EQ(at->imap(), "12-May-2025 10:00:00 +0200");
  EXPECT_EQ(at->unix_seconds, 1747036800);
  EXPECT_EQ(parse_internal_date(" 1-jan-1970 00:00:00 +0000")->rfc3339(), "1970-01-01T00:00:00Z");
  EXPECT_EQ(parse_rfc3339("2025-05-12T10:00:00.25+02:00")->unix_seconds, at->unix_seconds);
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59Z")->unix_seconds, -1);
  for (const char* bad :
       {"", "32-May-2025 10:00:00 +0200", "1-Foo-2025 10:00:00 +0200", "1-May-2025 25:00:00 +0200",
        "1-May-2025 10:00:00", "30-Feb-2025 10:00:00 +0000"})
    EXPECT_FALSE(parse_internal_date(bad)) << bad;
}
