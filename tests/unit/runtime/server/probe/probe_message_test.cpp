#include "runtime/server/probe/probe_message.h"

#include <gtest/gtest.h>

namespace plan::server::probe {
namespace {

TEST(ProbeMessage, has_what_keeps_robots_quiet_and_an_id_of_its_own) {
  const ProbeMessage probe =
      make_probe("alice@example.org", "source", "0123456789abcdef", 1'764'000'000'000);
  EXPECT_EQ(probe.message_id, "<plan-probe.0123456789abcdef.source@plan.invalid>");
  EXPECT_NE(probe.text.find("Auto-Submitted: auto-generated\r\n"), std::string::npos);
  EXPECT_NE(probe.text.find("Message-ID: " + probe.message_id + "\r\n"), std::string::npos);
  EXPECT_NE(probe.text.find("Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n"), std::string::npos);
  EXPECT_EQ(probe.text.find('\n', 0), probe.text.find("\r\n") + 1);
}

TEST(ProbeMessage, two_entries_never_look_like_duplicates_of_each_other) {
  // The target drops a message silently when base subject and Message-ID are in the Inbox already.
  const ProbeMessage first = make_probe("alice@example.org", "source", "r", 0);
  const ProbeMessage second = make_probe("alice@example.org", "target", "r", 0);
  EXPECT_NE(first.message_id, second.message_id);
  EXPECT_NE(first.text.substr(first.text.find("Subject"), 60),
            second.text.substr(second.text.find("Subject"), 60));
}

TEST(ProbeMessage, names_are_random) { EXPECT_NE(random_name(), random_name()); }

}  // namespace
}  // namespace plan::server::probe
