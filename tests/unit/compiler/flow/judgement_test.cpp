// What is wrong with an end, without a way that leads to it.
#include "compiler/flow/judgement.h"

#include <gtest/gtest.h>

#include "compiler/flow/at_source.h"

namespace plan::flow {
namespace {

Delivery ended(Fate fate, const std::string& mailbox = {}) {
  Delivery delivery;
  delivery.fate = fate;
  delivery.mailbox = mailbox;
  return delivery;
}

std::string what(const Judged& judged) {
  return judged ? std::string(judged->what) + ": " + judged->claim : "right";
}

const Letter kLetter{Entry::target_25, "all@x.test"};
const std::string kAlice = "alice@x.test";
const Expected kExpected{kAlice, false, true};

TEST(Judgement, EverybodyGetsItOnce) {
  const std::vector<Reader> readers = {reads_at(kAlice, true, "account"),
                                       reads_at("bob@x.test", false, "account")};
  const Delivery to_alice = ended(Fate::target_mailbox, kAlice);
  const Delivery to_bob = ended(Fate::source_mailbox, "bob@x.test");
  EXPECT_EQ(what(judge_letter(kLetter, {to_alice, to_bob}, readers, kExpected)), "right");
  EXPECT_EQ(what(judge_letter(kLetter, {to_alice, to_bob, to_alice}, readers, kExpected)),
            "twice: alice@x.test gets a message to all@x.test 2 times");
  EXPECT_EQ(what(judge_letter(kLetter, {to_bob}, readers, kExpected)),
            "lost: mail for all@x.test does not reach alice@x.test");
  const Delivery waits = ended(Fate::source_queue, kAlice);
  EXPECT_EQ(what(judge_letter(kLetter, {waits, to_bob}, readers, kExpected)), "right");
  EXPECT_EQ(what(judge_letter(kLetter, {waits, to_bob, to_alice}, readers, kExpected)),
            "twice: alice@x.test gets a message to all@x.test 2 times")
      << "what waits comes too";
}

TEST(Judgement, NobodyGetsItMoreOftenThanBefore) {
  const Reader alice = reads_at(kAlice, false, "account");
  const Delivery once = ended(Fate::source_mailbox, kAlice);
  const auto judged = [&](const std::vector<Delivery>& deliveries, std::size_t before) {
    Expected expected = kExpected;
    expected.copies_before[kAlice] = before;
    return what(judge_letter(kLetter, deliveries, std::span(&alice, 1), expected));
  };
  EXPECT_EQ(judged({once, once}, 2), "right") << "as it was before the migration";
  EXPECT_EQ(judged({once}, 2), "right");
  EXPECT_EQ(judged({once, once}, 1), "twice: alice@x.test gets a message to all@x.test 2 times");
  EXPECT_EQ(judged({once, once}, 0), "twice: alice@x.test gets a message to all@x.test 2 times");
  EXPECT_EQ(judged({once, once, once}, 2),
            "twice: alice@x.test gets a message to all@x.test 3 times");
  EXPECT_EQ(judged({}, 2), "lost: mail for all@x.test does not reach alice@x.test");
}

TEST(Judgement, WhoReadsOutsideIsReachedOutside) {
  const Reader outside{"out@y.test", Reader::Side::outside, "foreign domain"};
  EXPECT_TRUE(outside.is_reached(ended(Fate::outside, "out@y.test")));
  for (const Fate fate : {Fate::target_mailbox, Fate::source_mailbox, Fate::source_queue})
    EXPECT_FALSE(outside.is_reached(ended(fate, "out@y.test"))) << to_string(fate);
  EXPECT_EQ(what(judge_letter(kLetter, {ended(Fate::target_mailbox, "out@y.test")},
                              std::span(&outside, 1), kExpected)),
            "lost: mail for all@x.test does not reach out@y.test");
}

TEST(Judgement, AnAddressThatNobodyHasDoesNotGoRound) {
  for (const Fate fate : {Fate::refused, Fate::bounced, Fate::discarded, Fate::source_mailbox})
    EXPECT_EQ(what(judge_unknown({ended(fate)})), "right") << to_string(fate);
  EXPECT_EQ(what(judge_unknown({ended(Fate::refused), ended(Fate::loop)})),
            "loop: mail for an address that nobody has goes round between the two servers");
}

TEST(Judgement, ADomainThatTheSourceKeepsIsReachedThereOrLeaves) {
  const Delivery at_source = ended(Fate::source_mailbox, "zoe@stays.test");
  for (const Entry entry : {Entry::target_25, Entry::target_submission})
    EXPECT_EQ(what(judge_domain_of_source(entry, {at_source})), "right") << to_string(entry);
  EXPECT_EQ(what(judge_domain_of_source(Entry::target_25, {ended(Fate::refused)})), "right");
  EXPECT_EQ(what(judge_domain_of_source(Entry::target_submission, {ended(Fate::outside)})),
            "right");
  EXPECT_EQ(what(judge_domain_of_source(Entry::target_submission, {ended(Fate::bounced)})),
            "foreign: mail to another domain ends as: bounced");
  EXPECT_EQ(what(judge_domain_of_source(Entry::target_25, {ended(Fate::outside)})),
            "relay: the target relays mail of strangers");
}

TEST(Judgement, WhatTheSourceRelaysIsNotMeasured) {
  const Hop route{"target routes eva@z.test by `source`", "`if` 0", {}, ""};
  Delivery denied = ended(Fate::bounced);
  denied.hops = {route, Hop{"source: 554 5.7.1", std::string(kRelayRule), {}, ""}};
  const Judged judged = judge_unmeasured_domain(Entry::target_submission, {denied});
  EXPECT_EQ(what(judged), "relayed: mail to another domain ends as: bounced");
  ASSERT_TRUE(judged && judged->delivery.supposed);
  EXPECT_TRUE(judged->is_supposed);
  EXPECT_EQ(judged->delivery.supposed->rule, route.rule);

  Delivery unknown = ended(Fate::bounced);
  unknown.hops = {route, Hop{"target: 550 5.1.1", "", {}, ""}};
  for (const Delivery& wrong : {unknown, ended(Fate::bounced)}) {
    const Judged known = judge_unmeasured_domain(Entry::target_submission, {wrong});
    EXPECT_EQ(what(known), "foreign: mail to another domain ends as: bounced");
    EXPECT_TRUE(known && !known->is_supposed);
  }
  EXPECT_EQ(what(judge_unmeasured_domain(Entry::target_25, {denied})),
            "relay: the target relays mail of strangers");
  EXPECT_EQ(what(judge_domain_of_target({denied})),
            "own: mail for a domain that lives only on the target is sent away from it");
}

}  // namespace
}  // namespace plan::flow
