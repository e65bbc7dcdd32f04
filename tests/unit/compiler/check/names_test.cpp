#include "compiler/check/names.h"

#include <gtest/gtest.h>

namespace plan::check {
namespace {

TEST(Names, AddressesNeedOneAtAndADomainWithADot) {
  for (const char* good : {"a@b.c", "o'neil+tag@example.org", "user/x@xn--bcher-kva.org", "A@B.C"})
    EXPECT_EQ(why_not_address(good), "") << good;
  for (const char* bad : {"", "a", "@b.c", "a@b", "a@b@c.d", "a b@c.d", "\"a b\"@c.d", ".a@b.c",
                          "a.@b.c", "a..b@c.d", "a@-b.c", "a@b..c"}) {
    EXPECT_NE(why_not_address(bad), "") << bad;
  }
  EXPECT_EQ(why_not_address(std::string(64, 'a') + "@b.c"), "");
  EXPECT_NE(why_not_address(std::string(65, 'a') + "@b.c"), "");
}

TEST(Names, DomainsAreLowerCaseALabels) {
  EXPECT_EQ(why_not_domain("example.org"), "");
  for (const char* bad : {"", "localhost", "Example.org", "bücher.org", "a_b.org", "203.0.113.1",
                          "a..b", "-a.org", "a.org."})
    EXPECT_NE(why_not_domain(bad), "") << bad;
  EXPECT_EQ(why_not_domain(std::string(63, 'a') + ".org"), "");
  EXPECT_NE(why_not_domain(std::string(64, 'a') + ".org"), "");
}

TEST(Names, HostsAreNamesOrAddressesAndNearlyAddressesAreNeither) {
  for (const char* good : {"localhost", "203.0.113.255", "2001:db8::1", "::1", "::ffff:203.0.113.1",
                           "mail.example.org"})
    EXPECT_EQ(why_not_host(good), "") << good;
  for (const char* bad :
       {"", "203.0.113.256", "203.0.113", "01.2.3.4", "a b", "https://x.org", "1:2:3"})
    EXPECT_NE(why_not_host(bad), "") << bad;
}

TEST(Names, UrlsHaveAHostAndMayHaveAPort) {
  for (const char* good :
       {"https://new.example.org", "https://new.example.org:8443/jmap", "https://203.0.113.1:1",
        "https://[2001:db8::1]", "https://[::1]:65535/"})
    EXPECT_EQ(why_not_url(good), "") << good;
  for (const char* bad :
       {"", "http://new.example.org", "https://", "https://new.example.org:", "https://a.b:0",
        "https://a.b:65536", "https://a.b:99999999999999999999", "https://a.b:80x",
        "https://[2001:db8::1]x", "https://[2001:db8::1", "https://a b.c"})
    EXPECT_NE(why_not_url(bad), "") << bad;
}

TEST(Names, EverySpellingOfLoopbackIsSeen) {
  for (const char* loopback :
       {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost",
        "LOCALHOST", "x.localhost", "0.0.0.0", "::"}) {
    EXPECT_TRUE(is_loopback(loopback)) << loopback;
  }
  for (const char* other :
       {"128.0.0.1", "10.9.0.2", "::2", "2001:db8::1", "localhost.example.org", "12.7.0.1", "1::"})
    EXPECT_FALSE(is_loopback(other)) << other;
}

}  // namespace
}  // namespace plan::check
