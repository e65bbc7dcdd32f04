#include "runtime/secret/secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "compiler/ir/json.h"
#include "runtime/secret/errors.h"
#include "runtime/secret/limits.h"
#include "runtime/secret/secret_store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::secret {
namespace {

constexpr std::string_view kWord = "correct-horse-battery";

// What would print, compare or copy a secret by accident must not compile.
template <class T>
concept Streams = requires(std::ostream& out, const T& value) {
  out << value;
};
template <class T>
concept Compares = requires(const T& left, const T& right) {
  left == right;
};
static_assert(!Streams<Secret>);
static_assert(!Compares<Secret>);
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string> &&
              !std::is_convertible_v<std::string, Secret>);

class SecretStoreTest : public ::testing::Test {
 protected:
  std::string put(const std::string& name, std::string_view text, mode_t mode) {
    const std::string path = folder_.file(name);
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  static std::string shown(const Result<Secret>& secret) {
    return secret ? secret->reveal_for("a test")
                  : "error " + std::string(secret.error().code().name);
  }
  test::TempDir folder_;
  SecretStore store_{
      {.plan_directory = folder_.path().string(), .state_directory = folder_.path().string()}};
};

TEST(SecretTest, is_gone_from_where_it_was_moved_from) {
  Secret first{std::string(kWord)};
  const Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_EQ(second.reveal_for("a test"), kWord);
  EXPECT_EQ(second.clone().reveal_for("a test"), kWord);
}

TEST_F(SecretStoreTest, reads_the_environment) {
  ::setenv("PLAN_TEST_SECRET", "s3cret", 1);
  EXPECT_EQ(shown(store_.read({"env", "PLAN_TEST_SECRET"})), "s3cret");
  ::setenv("PLAN_TEST_SECRET", "", 1);
  EXPECT_EQ(shown(store_.read({"env", "PLAN_TEST_SECRET"})), "error secret-missing");
  ::unsetenv("PLAN_TEST_SECRET");
  EXPECT_EQ(shown(store_.read({"env", "PLAN_TEST_SECRET"})), "error secret-missing");
}

TEST_F(SecretStoreTest, reads_a_file_beside_the_plan_and_cuts_one_line_end) {
  put("a", "word\n", 0600);
  put("b", "word\r\n", 0400);
  put("c", "two\n\n", 0600);
  const std::string absolute = put("d", "x", 0600);
  EXPECT_EQ(shown(store_.read({"file", "a"})), "word");
  EXPECT_EQ(shown(store_.read({"file", "b"})), "word");
  EXPECT_EQ(shown(store_.read({"file", "c"})), "two\n");
  EXPECT_EQ(shown(store_.read({"file", absolute})), "x");
}

TEST_F(SecretStoreTest, refuses_a_file_that_others_can_read) {
  put("open", kWord, 0640);
  const auto refused = store_.read({"file", "open"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("secret-exposed", refused.error()));
}

TEST_F(SecretStoreTest, refuses_what_is_missing_too_large_or_no_file) {
  const auto none = store_.read({"file", "none"});
  ASSERT_FALSE(none);
  EXPECT_TRUE(test::told_as("secret-missing", none.error()));
  put("large", std::string(kSecretBytesMax + 1, 'x'), 0600);
  const auto large = store_.read({"file", "large"});
  ASSERT_FALSE(large);
  EXPECT_TRUE(test::told_as("secret-too-large", large.error()));
  put("just", std::string(kSecretBytesMax, 'x'), 0600);
  EXPECT_EQ(shown(store_.read({"file", "just"})).size(), kSecretBytesMax);
  std::filesystem::create_directory(folder_.file("folder"));
  ::chmod(folder_.file("folder").c_str(), 0700);
  EXPECT_EQ(shown(store_.read({"file", "folder"})), "error secret-unreadable");
  ASSERT_EQ(::mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(shown(store_.read({"file", "pipe"})), "error secret-unreadable")
      << "and does not wait for a writer";
}

TEST_F(SecretStoreTest, runs_a_command_once_in_the_folder_of_the_plan) {
  put("word", "from a file\n", 0600);
  EXPECT_EQ(shown(store_.read({"command", "echo x >> count; cat word"})), "from a file");
  EXPECT_EQ(shown(store_.read({"command", "echo x >> count; cat word"})), "from a file");
  EXPECT_EQ(std::filesystem::file_size(folder_.file("count")), 2U) << "a person is asked once";
}

TEST_F(SecretStoreTest, a_command_that_ends_badly_shows_nothing_of_what_it_wrote) {
  put("word", std::string(kWord), 0600);
  const auto failed = store_.read({"command", "cat word; exit 3"});
  ASSERT_FALSE(failed);
  EXPECT_TRUE(test::told_as("secret-unreadable", failed.error()));
  EXPECT_EQ(failed.error().to_line().find("horse"), std::string::npos);
  EXPECT_EQ(shown(store_.read({"command", "true"})), "error secret-missing");
  EXPECT_EQ(shown(store_.read({"command", "head -c 70000 /dev/zero"})), "error secret-too-large");
}

TEST_F(SecretStoreTest, asks_a_registered_provider_and_knows_no_other) {
  store_.add_provider("source", [](const std::string& name) -> Result<Secret> {
    return Secret("hash of " + name);
  });
  EXPECT_EQ(shown(store_.read({"source", "a@x"})), "hash of a@x");
  EXPECT_EQ(shown(store_.read({"nowhere", "a@x"})), "error secret-missing");
}

TEST_F(SecretStoreTest, what_was_sealed_opens_again_and_only_with_this_plans_key) {
  const auto sealed = store_.seal(Secret{std::string(kWord)});
  ASSERT_TRUE(sealed) << sealed.error().to_line();
  EXPECT_EQ(sealed->provider, "sealed");
  EXPECT_EQ(sealed->name.find("horse"), std::string::npos);
  EXPECT_NE(store_.seal(Secret{std::string(kWord)})->name, sealed->name) << "a nonce is used once";
  SecretStore again({.plan_directory = ".", .state_directory = folder_.path().string()});
  EXPECT_EQ(shown(again.read(*sealed)), kWord);

  struct stat status = {};
  ASSERT_EQ(::stat(folder_.file("seal.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);

  const test::TempDir other;
  SecretStore stranger({.plan_directory = ".", .state_directory = other.path().string()});
  EXPECT_EQ(shown(stranger.read(*sealed)), "error seal-damaged")
      << "no key there, and none is made";
  ASSERT_TRUE(stranger.seal(Secret("x")));
  const auto closed = stranger.read(*sealed);
  ASSERT_FALSE(closed);
  EXPECT_TRUE(test::told_as("seal-damaged", closed.error()));
}

TEST_F(SecretStoreTest, a_sealed_value_that_was_altered_anywhere_does_not_open) {
  const auto sealed = store_.seal(Secret{std::string(kWord)});
  for (std::size_t i = 0; i < sealed->name.size(); ++i) {
    ir::SecretRef altered = *sealed;
    altered.name[i] = altered.name[i] == 'A' ? 'B' : 'A';
    const auto opened = store_.read(altered);
    if (opened) {
      // The last letter of unpadded base64 has bits that mean nothing.
      EXPECT_EQ(i, sealed->name.size() - 1);
      EXPECT_EQ(opened->reveal_for("a test"), kWord);
    }
    EXPECT_FALSE(store_.read({"sealed", sealed->name.substr(0, i)})) << i;
  }
}

TEST_F(SecretStoreTest, a_key_file_that_is_cut_or_readable_by_others_is_refused) {
  const auto sealed = store_.seal(Secret("x"));
  ::chmod(folder_.file("seal.key").c_str(), 0644);
  SecretStore exposed({.plan_directory = ".", .state_directory = folder_.path().string()});
  EXPECT_EQ(shown(exposed.read(*sealed)), "error secret-exposed");
  put("seal.key", "abc", 0600);
  ::chmod(folder_.file("seal.key").c_str(), 0600);
  SecretStore cut({.plan_directory = ".", .state_directory = folder_.path().string()});
  EXPECT_EQ(shown(cut.read(*sealed)), "error seal-damaged");
}

TEST_F(SecretStoreTest, an_empty_secret_and_the_largest_one_survive_sealing) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSecretBytesMax}) {
    const auto sealed = store_.seal(Secret(std::string(size, 'z')));
    ASSERT_TRUE(sealed);
    EXPECT_EQ(store_.read(*sealed)->reveal_for("a test").size(), size);
  }
  EXPECT_FALSE(store_.seal(Secret(std::string(kSecretBytesMax + 1, 'z'))));
}

TEST_F(SecretStoreTest, the_keyed_digest_tells_change_and_nothing_else) {
  const std::string one = store_.keyed_digest(Secret("a")).value();
  EXPECT_EQ(store_.keyed_digest(Secret("a")).value(), one);
  EXPECT_NE(store_.keyed_digest(Secret("b")).value(), one);
  const test::TempDir other;
  SecretStore stranger({.plan_directory = ".", .state_directory = other.path().string()});
  EXPECT_NE(stranger.keyed_digest(Secret("a")).value(), one)
      << "without the key it cannot be guessed";
}

TEST_F(SecretStoreTest, a_reference_shows_where_a_secret_is_and_never_what) {
  put("w", kWord, 0600);
  const ir::Value document = ir::Value::map({{"password", ir::SecretRef{"file", "w"}}});
  EXPECT_EQ(ir::write_json(document).find("horse"), std::string::npos);
  put("w", kWord, 0644);
  for (const ir::SecretRef& ref :
       {ir::SecretRef{"file", "w"}, ir::SecretRef{"sealed", std::string(kWord)},
        ir::SecretRef{"command", "echo $X; exit 1"}}) {
    const auto refused = store_.read(ref);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().to_line().find("horse"), std::string::npos)
        << refused.error().to_line();
  }
}

}  // namespace
}  // namespace plan::secret
