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

TEST(Names, AMachineIsReachedAsAUserOnAHost) {
  using syntax::why_not_ssh;
  for (const char* good :
       {"root@203.0.113.20", "root@203.0.113.20:2222", "mail-admin@mail.internal.example.org",
        "root@2001:db8::1", "203.0.113.20", "_plan@localhost:65535"})
    EXPECT_EQ(why_not_ssh(good), "") << good;
  for (const char* bad :
       {"203.0.113.20; rm -rf /", "-oProxyCommand=x@203.0.113.20", "root@", "root@@x", "@x.org",
        "root@203.0.113.20:99999", "root@203.0.113.20:0", "root@203.0.113.20:", "root@a b",
        "root@x.org:22x", "ro ot@x.org", "root@-x.org", "root@x.org\n", "root@[::1]:22"})
    EXPECT_NE(why_not_ssh(bad), "") << bad;
}

TEST(Names, PathsOfMachinesBeginAtTheRootAndOthersStayInTheirFolder) {
  EXPECT_EQ(syntax::why_not_machine_path("/etc/dovecot/..deny"), "");
  for (const char* bad : {"../deny", "relative/map", "/etc/../deny", "/etc/\x1b[31m", "/a/.."})
    EXPECT_NE(syntax::why_not_machine_path(bad), "") << bad;
  for (const char* good : {"a.csv", "lists/a.csv", "./lists/../a.csv", "..a", "a/b/../../c"})
    EXPECT_EQ(syntax::why_not_in_folder(good), "") << good;
  for (const char* bad : {"../a.csv", "./../a", "a/../../b", "/etc/hostname", "..", "a/./../.."})
    EXPECT_NE(syntax::why_not_in_folder(bad), "") << bad;
}

TEST(Names, WhatGoesIntoCommandsAndLoginsIsOneWord) {
  for (const char* good : {"mailcowdockerized-postfix-mailcow-1", "a", "9_x.y"})
    EXPECT_EQ(syntax::why_not_container(good), "") << good;
  for (const char* bad : {"a b", "-x", ".x", "a;b", "a/b", "a\n"})
    EXPECT_NE(syntax::why_not_container(bad), "") << bad;
  for (const char* good : {"vmadmin", "vmadmin@example.org"})
    EXPECT_EQ(syntax::why_not_master_name(good), "") << good;
  for (const char* bad : {"vm admin", "vm\n*", "vm\u202e", "vm\tadmin"})
    EXPECT_NE(syntax::why_not_master_name(bad), "") << bad;
  for (const char* good : {"*", "%", "+", "|"}) EXPECT_EQ(syntax::why_not_separator(good), "");
  for (const char* bad : {"@", "a", "Z", "7", "**", "\n", "\xc3\xa4"})
    EXPECT_NE(syntax::why_not_separator(bad), "") << bad;
  for (const char* good : {"EDGE1_TOKEN", "_x"}) EXPECT_EQ(syntax::why_not_variable(good), "");
  for (const char* bad : {"EDGE 1", "1EDGE", "A=B", "A\n", "A-B"})
    EXPECT_NE(syntax::why_not_variable(bad), "") << bad;
}

TEST(Names, EverySpellingOfLoopbackIsSeen) {
  for (const char* loopback : {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1",
                               "::ffff:127.0.0.1", "0:0:0:0:0:ffff:7f00:1", "::ffff:0.0.0.0",
                               "[::1]", "localhost", "LOCALHOST", "x.localhost", "0.0.0.0", "::"}) {
    EXPECT_TRUE(is_loopback(loopback)) << loopback;
  }
  for (const char* other : {"128.0.0.1", "10.9.0.2", "::2", "2001:db8::1", "localhost.example.org",
                            "12.7.0.1", "1::", "::ffff:10.0.0.1"})
    EXPECT_FALSE(is_loopback(other)) << other;
}

TEST(Names, NetworksHoldAddressesInEverySpelling) {
  EXPECT_TRUE(is_ip_in_network("203.0.113.7", "203.0.113.0/24"));
  EXPECT_TRUE(is_ip_in_network("::ffff:203.0.113.7", "203.0.113.0/24"));
  EXPECT_TRUE(is_ip_in_network("203.0.113.7", "::ffff:203.0.113.0/120"));
  EXPECT_TRUE(is_ip_in_network("203.0.113.7", "::ffff:203.0.113.7"));
  EXPECT_TRUE(is_ip_in_network("2001:db8:0:0::7", "2001:db8::/32"));
  EXPECT_TRUE(is_ip_in_network("::1", "[::1]/128"));
  EXPECT_FALSE(is_ip_in_network("203.0.114.7", "::ffff:203.0.113.0/120"));
  EXPECT_FALSE(is_ip_in_network("203.0.113.7", "::ffff:203.0.113.0/24"));
  EXPECT_FALSE(is_ip_in_network("203.0.113.7", "::/0"));
  EXPECT_FALSE(is_ip_in_network("2001:db8::7", "203.0.113.0/24"));
  EXPECT_FALSE(is_ip_in_network("203.0.113.7", "203.0.113.0/33"));
  EXPECT_FALSE(is_ip_in_network("mail.example.org", "203.0.113.0/24"));
}

}  // namespace
}  // namespace plan::check
