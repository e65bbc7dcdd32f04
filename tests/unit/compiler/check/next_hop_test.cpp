#include "compiler/check/next_hop.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace plan::check {
namespace {

std::string flaw(std::string_view text) {
  const auto found = flaw_of(next_hop_of(text));
  return found ? found->why : std::string();
}

TEST(NextHop, PortsAreNumbersOrNamesThatEveryMachineKnows) {
  EXPECT_EQ(next_hop_of("smtp:[203.0.113.30]:25").port, 25);
  EXPECT_EQ(next_hop_of("smtp:[2001:db8::30]:2525").port, 2525);
  EXPECT_EQ(next_hop_of("smtp:mx.example.org:smtp").port, 25);
  EXPECT_EQ(next_hop_of("smtp:[203.0.113.30]:submission").port, 587);
  EXPECT_EQ(next_hop_of("smtp:[203.0.113.30]").port, 0);
  for (const char* good :
       {"smtp:[203.0.113.30]:25", "smtp:[203.0.113.30]", "relay:mx.example.org", "smtp:[MX.org]",
        "smtp:[2001:db8::30]:25", "smtp:[IPv6:2001:db8::30]:25", "lmtp:inet:mx.example.org:24"})
    EXPECT_EQ(flaw(good), "") << good;
  for (const std::string bad : {"0", "99999", "-1", "25 x", "", "25,[203.0.113.31]"})
    EXPECT_EQ(flaw("smtp:[203.0.113.30]:" + bad), "`" + bad + "` is no port from 1 to 65535");
  EXPECT_EQ(flaw("smtp:[203.0.113.30]:smtpp"), "`smtpp` is no port that is known here");
  EXPECT_EQ(flaw("smtp:[203.0.113.30]25"), "behind the machine stands `25`");
  EXPECT_NE(flaw("smtp:2001:db8::30:25"), "");
  const auto word = flaw_of(next_hop_of("smtp:[203.0.113.30]:smtpp"));
  ASSERT_TRUE(word);
  EXPECT_FALSE(word->is_sure);
}

TEST(NextHop, MachinesHaveToBeNamed) {
  for (const char* bad : {"", "smtp", "smtp:", "smtp::25", "smtp:[]", "smtp:[]:25"})
    EXPECT_EQ(flaw(bad), "it names no machine") << bad;
  EXPECT_EQ(flaw("smtp:[203.0.113.30"), "its `[` is not closed");
  for (const std::string bad : {"203.0.113", "a b"})
    EXPECT_TRUE(flaw("smtp:[" + bad + "]:25").starts_with("`" + bad + "` is no machine's name: "))
        << flaw("smtp:[" + bad + "]:25");
}

TEST(NextHop, TransportsSendKeepOrDeliver) {
  using enum TransportKind;
  for (const auto& [text, kind] : {
           std::pair{"smtp:[a.example.org]:25", sends},
           std::pair{"relay:a.example.org", sends},
           std::pair{"lmtp:[a.example.org]:24", sends},
           std::pair{"retry:4.3.0 later", keeps},
           std::pair{"discard:", keeps},
           std::pair{"virtual:", delivers},
           std::pair{"dovecot:", delivers},
           std::pair{":[a.example.org]:25", delivers},
           std::pair{"", delivers},
           std::pair{"lmtp:unix:private/dovecot-lmtp", delivers},
           std::pair{"SMTP:[a.example.org]:25", unknown},
           std::pair{"smtps:[a.example.org]:465", unknown},
           std::pair{"203.0.113.30", unknown},
           std::pair{"[203.0.113.30]:25", unknown},
       }) {
    EXPECT_EQ(kind_of_transport(next_hop_of(text)), kind) << text;
  }
  EXPECT_EQ(transport_in_other_case("SMTP"), "smtp");
  EXPECT_EQ(transport_in_other_case("smtp"), "");
  EXPECT_EQ(transport_in_other_case("smtps"), "");
}

}  // namespace
}  // namespace plan::check
