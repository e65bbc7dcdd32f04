// The door of a real Dovecot.
#include <fcntl.h>

#include "runtime/net/socket.h"
#include "runtime/server/source/errors.h"
#include "runtime/step/errors.h"
#include "tests/unit/runtime/server/source/real_source.h"

namespace plan::server::source {
namespace {

TEST_F(RealSource, TheDoorShutsForOneAccountOnlyAndOpensAgain) {
  Step the_door = door();
  ASSERT_EQ(observe(the_door)->standing, ir::Standing::absent);
  const Outcome hung = perform(the_door);
  ASSERT_TRUE(hung) << hung.error().to_line();
  EXPECT_EQ(observe(the_door)->standing, ir::Standing::satisfied);
  EXPECT_TRUE(can_log_in("bob@legacy.test", "bob-Passw0rd"));

  auto session =
      std::move(*net::imap::Client::connect(source_->block().endpoint(source_->block().imap)));
  ASSERT_TRUE(session->login("bob@legacy.test", secret::Secret("bob-Passw0rd")));
  Step shut = deny("bob@legacy.test");
  EXPECT_EQ(observe(shut)->standing, ir::Standing::absent);
  const auto began = std::chrono::steady_clock::now();
  const Outcome outcome = perform(shut);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  std::printf("shutting the door took %lld ms\n",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                         std::chrono::steady_clock::now() - began)
                                         .count()));
  EXPECT_EQ(observe(shut)->standing, ir::Standing::satisfied);
  EXPECT_FALSE(session->noop()) << "the session that was open is ended";
  EXPECT_FALSE(can_log_in("bob@legacy.test", "bob-Passw0rd"));
  EXPECT_TRUE(can_log_in("bob@legacy.test%vmadmin", "master-secret"));
  EXPECT_TRUE(can_log_in("carol@legacy.test", "carol-Passw0rd"));

  const Outcome again = perform(shut);
  EXPECT_TRUE(again) << "repeating it changes nothing: " << again.error().to_line();
  const Outcome refused = undo(the_door);
  ASSERT_FALSE(refused) << "somebody is still denied";
  EXPECT_TRUE(refused.error().is(step::errors::changed_since));
  const Outcome opened = undo(shut);
  ASSERT_TRUE(opened) << opened.error().to_line();
  EXPECT_TRUE(can_log_in("bob@legacy.test", "bob-Passw0rd"));
  EXPECT_TRUE(undo(shut));
  ASSERT_TRUE(undo(the_door));
  EXPECT_FALSE(is_at_source(kDoorFile));
  EXPECT_TRUE(can_log_in("bob@legacy.test", "bob-Passw0rd"));
}

// A master process that is killed leaves its imap processes behind: they go on serving their
// clients, and the next master knows nothing of them. A flag that such a client sets behind the
// last delta is lost.
TEST_F(RealSource, ASessionThatOutlivedItsDovecotIsEndedWithTheOthers) {
  Step the_door = door();
  ASSERT_TRUE(perform(the_door));
  auto session =
      std::move(*net::imap::Client::connect(source_->block().endpoint(source_->block().imap)));
  ASSERT_TRUE(session->login("bob@legacy.test", secret::Secret("bob-Passw0rd")));
  ASSERT_TRUE(source_->run(Place::dovecot, {"sh", "-c", R"sh(
    file=$(doveconf -h base_dir)/master.pid
    old=$(cat "$file")
    kill -9 "$old"
    rm "$file"  # nobody may have waited for the process
    while doveadm who >/dev/null 2>&1; do sleep 0.1; done
    while :; do
      setsid dovecot -F </dev/null >/dev/null 2>&1 &
      sleep 0.5
      kill -0 $! 2>/dev/null && exit 0
    done)sh"}));
  ASSERT_TRUE(wait_for([&] { return session_count_of("carol@legacy.test") == 0; }));
  ASSERT_TRUE(session->noop()) << "the old session goes on";
  EXPECT_EQ(session_count_of("bob@legacy.test"), 0) << "and doveadm does not know of it";

  Step shut = deny("bob@legacy.test");
  const Outcome outcome = perform(shut);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  EXPECT_FALSE(session->noop()) << "now it is ended";
  ASSERT_TRUE(undo(shut));
  ASSERT_TRUE(undo(the_door));
  EXPECT_TRUE(can_log_in("bob@legacy.test", "bob-Passw0rd"));
}

TEST_F(RealSource, ADoorInTheWrongPlaceIsRefusedAndLeavesNothing) {
  Step misplaced{
      StepKind::dovecot_door,
      arguments({{"deny_file", kDenyFile}, {"configuration", "/etc/dovecot/unread.conf"}})};
  const Outcome outcome = perform(misplaced);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::door_not_possible)) << outcome.error().to_line();
  EXPECT_FALSE(is_at_source("/etc/dovecot/unread.conf"));
  ASSERT_TRUE(source_->host(Place::dovecot)
                  .replace_file("/etc/dovecot/foreign.conf", "# of the operator\n", 0644,
                                net::Deadline::after(10s)));
  Step foreign{StepKind::dovecot_door, arguments({{"deny_file", kDenyFile},
                                                  {"configuration", "/etc/dovecot/foreign.conf"}})};
  EXPECT_TRUE(perform(foreign).error().is(errors::door_not_possible));
  ASSERT_TRUE(source_->run(Place::dovecot, {"rm", "/etc/dovecot/foreign.conf"}));
}

// `doveadm reload` ends an lmtp process that is in the middle of a delivery: it keeps the message,
// says `421 Shutting down`, and Postfix delivers the message once more.
TEST_F(RealSource, TheDoorGoesInAndOutWhileAMessageIsDeliveredOnce) {
  ASSERT_EQ(deliver("dave@legacy.test", "first"), "accepted");
  ASSERT_TRUE(wait_for([&] { return queued("dave@legacy.test") == 0; }));
  const std::filesystem::path maildir =
      std::filesystem::path(std::getenv("PLAN_TEST_SOURCE")) / "mail/legacy.test/dave/Maildir";
  for (const bool is_in : {true, false}) {
    const std::size_t before = delivered("dave");
    Step the_door = door();
    if (!is_in) {
      ASSERT_TRUE(perform(the_door));
    }
    // Dovecot waits for this lock with the message in its hands.
    net::OwnedDescriptor log(::open((maildir / "dovecot.index.log").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_GE(log.get(), 0);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    ASSERT_EQ(::fcntl(log.get(), F_SETLKW, &lock), 0);
    ASSERT_EQ(deliver("dave@legacy.test", "in delivery"), "accepted");
    ASSERT_TRUE(wait_for([&] { return !std::filesystem::is_empty(maildir / "tmp"); }))
        << "the message is being written";
    const Outcome outcome = is_in ? perform(the_door) : undo(the_door);
    lock.l_type = F_UNLCK;
    ASSERT_EQ(::fcntl(log.get(), F_SETLK, &lock), 0);
    ASSERT_TRUE(outcome) << outcome.error().to_line();
    ASSERT_TRUE(wait_for([&] {
      const auto queue = *source_->queue().read();
      return source_->queue().flush(postfix::ids_naming(*queue, {"dave@legacy.test"})) &&
             queued("dave@legacy.test") == 0;
    }));
    EXPECT_EQ(delivered("dave"), before + 1) << (is_in ? "the door goes in" : "the door goes out");
    EXPECT_TRUE(can_log_in("dave@legacy.test", "dave-Passw0rd"));
    if (is_in) {
      ASSERT_TRUE(undo(the_door));
    }
  }
}

TEST_F(RealSource, WithoutTheDoorADenyIsNotBelieved) {
  Step shut = deny("carol@legacy.test");
  shut.prior = observe(shut)->prior;
  ++shut.attempt;
  const auto outcome =
      with(shut, [](auto& driver, auto& context) { return driver.apply(context); });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::door_open)) << outcome.error().to_line();
  EXPECT_TRUE(undo(shut));
}

}  // namespace
}  // namespace plan::server::source
