#include "runtime/server/postfix/postfix_queue.h"

#include <gtest/gtest.h>

#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "tests/support/told_error.h"

namespace plan::server::postfix {
namespace {

const std::string kListing =
    R"({"queue_name": "active", "queue_id": "4XyZ1", "arrival_time": 100, "message_size": 10, "forced_expire": false, "sender": "a@x.test", "recipients": [{"address": "User01+tag@Legacy.test"}]})"
    "\n"
    R"({"queue_name": "deferred", "queue_id": "ABC", "arrival_time": 90, "message_size": 20, "sender": "MAILER-DAEMON", "recipients": [{"address": "user02@legacy.test", "delay_reason": "connect to 127.0.0.1[127.0.0.1]:1: Connection refused"}, {"address": "user03@legacy.test"}]})"
    "\n"
    R"({"queue_name": "incoming", "queue_id": "DEF", "arrival_time": 95, "message_size": 30, "sender": "", "recipients": []})"
    "\n";

TEST(PostfixQueue, ReadsTheListing) {
  const auto queue = parse_queue(kListing);
  ASSERT_TRUE(queue);
  ASSERT_EQ(queue->size(), 3U);
  EXPECT_EQ((*queue)[0].queue, QueueName::active);
  EXPECT_EQ((*queue)[0].id, "4XyZ1");
  EXPECT_EQ((*queue)[0].arrival_seconds, 100);
  EXPECT_EQ((*queue)[1].recipients[0].delay_reason,
            "connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
  EXPECT_EQ((*queue)[1].sender, "MAILER-DAEMON");
  EXPECT_TRUE((*queue)[2].recipients.empty());
}

TEST(PostfixQueue, AnEmptyQueueIsAnEmptyListing) {
  ASSERT_TRUE(parse_queue(""));
  EXPECT_TRUE(parse_queue("")->empty());
}

TEST(PostfixQueue, AListingCutAnywhereInALineIsAnErrorAndNeverAShorterQueue) {
  for (std::size_t size = 1; size < kListing.size(); ++size) {
    const auto queue = parse_queue(std::string_view(kListing).substr(0, size));
    if (kListing[size - 1] == '\n') {
      EXPECT_TRUE(queue);
    } else {
      ASSERT_FALSE(queue) << size;
      EXPECT_TRUE(queue.error().is(source::errors::bad_queue_listing));
    }
  }
}

TEST(PostfixQueue, LinesThatAreNoEntriesAreErrors) {
  for (const std::string line : {"not json", "{}", R"({"queue_id": "A B", "recipients": []})",
                                 R"({"queue_id": "-i", "recipients": []})", R"({"queue_id": "A"})",
                                 R"({"queue_id": "", "recipients": []})", "[]", "\"text\""}) {
    EXPECT_FALSE(parse_queue(line + "\n")) << line;
  }
}

TEST(PostfixQueue, AWordOfPostfixAmongTheLinesIsShown) {
  const auto queue = parse_queue(kListing + "postqueue: warning: Mail system is down\n");
  ASSERT_FALSE(queue);
  EXPECT_TRUE(test::told_as("bad-queue-listing", queue.error()));
}

TEST(PostfixQueue, AnAddressThatIsNotUtf8DoesNotHideTheOthers) {
  const auto queue = parse_queue(
      "{\"queue_name\": \"active\", \"queue_id\": \"A\", \"recipients\": [{\"address\": "
      "\"b\xff\xfe@x.test\"}, "
      "{\"address\": \"user01@legacy.test\"}]}\n");
  ASSERT_TRUE(queue);
  EXPECT_TRUE(names_account(queue->front(), {"user01@legacy.test"}));
}

TEST(PostfixQueue, NamesIgnoreCaseAndTag) {
  const auto queue = parse_queue(kListing);
  EXPECT_TRUE(names_account((*queue)[0], {"user01@legacy.test"}));
  EXPECT_FALSE(names_account((*queue)[0], {"user01@legacy.test"}, "-"))
      << "another delimiter makes another address";
  EXPECT_FALSE(names_account((*queue)[0], {"user0@legacy.test"}));
  EXPECT_FALSE(names_account((*queue)[2], {"user01@legacy.test"}));
  EXPECT_EQ(ids_naming(*queue, {"user01@legacy.test", "user03@legacy.test"}),
            (std::vector<std::string>{"4XyZ1", "ABC"}));
  EXPECT_EQ(plain_address("A+b+c@D.test", "+"), "a@d.test");
  EXPECT_EQ(plain_address("a-b@d.test", "+-"), "a@d.test");
  EXPECT_EQ(plain_address("+b@d.test", "+"), "+b@d.test");
  EXPECT_EQ(plain_address("a+b", "+"), "a");
  EXPECT_EQ(plain_address("", "+"), "");
}

TEST(PostfixQueue, DrainedMeansNothingOlderIsActiveOrIncomingForTheAccount) {
  const auto queue = parse_queue(kListing);
  EXPECT_FALSE(is_drained(*queue, {"user01@legacy.test"}, 100)) << "active, arrived at the reload";
  EXPECT_TRUE(is_drained(*queue, {"user01@legacy.test"}, 99))
      << "active, but younger: it meets the new entry";
  EXPECT_TRUE(is_drained(*queue, {"user02@legacy.test"}, 1000))
      << "deferred: the next attempt meets the new entry";
  EXPECT_TRUE(is_drained(*queue, {"user09@legacy.test"}, 1000))
      << "an entry without recipients is delivered";
  QueueSnapshot incoming = {{.id = "A",
                             .queue = QueueName::incoming,
                             .arrival_seconds = 5,
                             .recipients = {{.address = "user01@legacy.test"}}}};
  EXPECT_FALSE(is_drained(incoming, {"user01@legacy.test"}, 5))
      << "in delivery while a reload happened: shown as incoming";
}

TEST(PostfixQueue, PutOffIsWhatAQueueManagerOfAfterTheReloadLeftInIncoming) {
  const auto entry = [](std::string id, QueueName queue, std::int64_t arrival,
                        std::string address) {
    return QueueEntry{.id = std::move(id),
                      .queue = queue,
                      .arrival_seconds = arrival,
                      .recipients = {{.address = std::move(address)}}};
  };
  QueueSnapshot queue = {entry("A", QueueName::incoming, 5, "User01+tag@legacy.test"),
                         entry("B", QueueName::incoming, 6, "user01@legacy.test"),
                         entry("C", QueueName::active, 5, "user01@legacy.test"),
                         entry("D", QueueName::deferred, 5, "user01@legacy.test"),
                         entry("E", QueueName::incoming, 5, "user02@legacy.test")};
  EXPECT_EQ(ids_put_off(queue, {"user01@legacy.test"}, 5), std::vector<std::string>{"A"});
  queue.assign(60, entry("A", QueueName::incoming, 5, "user01@legacy.test"));
  EXPECT_EQ(ids_put_off(queue, {"user01@legacy.test"}, 5).size(), source::kFlushByIdMax)
      << "more would be a flush of the whole queue";
}

}  // namespace
}  // namespace plan::server::postfix
