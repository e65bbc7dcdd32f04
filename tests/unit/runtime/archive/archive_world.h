#pragma once
// An archive filled by hand, a fake target, and what tests ask of both.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/archive/archive_file.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/import_imap.h"
#include "tests/support/fake_mail_target.h"
#include "tests/support/temp_dir.h"

namespace plan::archive {

/// The archive as an import would leave it, without a source.
class SourceBooks {
 public:
  explicit SourceBooks(ArchiveFile& archive) : archive_(archive) {}

  void mailbox(const std::string& wire_name, const std::string& role = "") {
    store::Database& database = archive_.database();
    std::optional<std::int64_t> parent;
    std::string leaf = wire_name;
    if (const std::size_t slash = wire_name.rfind('/'); slash != std::string::npos) {
      leaf = wire_name.substr(slash + 1);
      parent = mailbox_id(wire_name.substr(0, slash));
    }
    auto insert =
        database.prepare("INSERT INTO mailboxes (name, parent_id, role) VALUES (?, ?, ?)");
    insert->bind(1, leaf).bind(2, parent).bind(3, role);
    if (role.empty()) insert->bind_null(3);
    ASSERT_TRUE(insert->run());
    auto keep = database.prepare(
        "INSERT INTO plan_mailbox (wire_name, mailbox_id, separator, is_selectable, role) VALUES "
        "(?, ?, '/', 1, ?)");
    keep->bind(1, wire_name).bind(2, database.last_insert_id()).bind(3, role);
    ASSERT_TRUE(keep->run());
  }

  std::int64_t mailbox_id(const std::string& wire_name) {
    auto find =
        archive_.database().prepare("SELECT mailbox_id FROM plan_mailbox WHERE wire_name = ?");
    find->bind(1, wire_name);
    EXPECT_TRUE(*find->step()) << wire_name;
    return find->integer(0);
  }

  void message(const std::string& wire_name, std::uint32_t uid, const std::string& body,
               const std::string& keywords = "[]", std::uint32_t uid_validity = 1) {
    store::Database& database = archive_.database();
    const std::int64_t blob = archive_.put_blob(body)->id;
    auto email = database.prepare(
        "INSERT INTO emails (blob_id, received_at, mailbox_ids, keywords) VALUES (?, "
        "'2025-05-12T10:00:00+02:00', ?, ?)");
    email->bind(1, blob)
        .bind(2, "[" + std::to_string(mailbox_id(wire_name)) + "]")
        .bind(3, keywords);
    ASSERT_TRUE(email->run());
    auto item = database.prepare(
        "INSERT INTO plan_item (wire_name, uidvalidity, uid, email_id, sha256, bytes, received_at, "
        "keywords) VALUES (?, ?, ?, ?, ?, ?, '2025-05-12T10:00:00+02:00', ?)");
    item->bind(1, wire_name)
        .bind(2, std::int64_t{uid_validity})
        .bind(3, std::int64_t{uid})
        .bind(4, database.last_insert_id());
    item->bind_blob(5, sha256_raw(body))
        .bind(6, static_cast<std::int64_t>(body.size()))
        .bind(7, keywords);
    ASSERT_TRUE(item->run());
  }

  void flags(const std::string& wire_name, std::uint32_t uid, const std::string& keywords) {
    execute("UPDATE plan_item SET keywords = '" + keywords + "' WHERE wire_name = '" + wire_name +
            "' AND uid = " + std::to_string(uid));
  }

  void expunge(const std::string& wire_name, std::uint32_t uid) {
    const std::string where =
        " WHERE wire_name = '" + wire_name + "' AND uid = " + std::to_string(uid);
    execute("DELETE FROM emails WHERE id IN (SELECT email_id FROM plan_item" + where + ")");
    execute("DELETE FROM plan_item" + where + " AND state IN (0, 3, 5)");
    execute("UPDATE plan_item SET is_gone = 1, email_id = NULL" + where);
  }

  void script(const std::string& name, const std::string& content, bool is_active) {
    execute("DELETE FROM sieve_scripts WHERE name = '" + name + "'");
    auto insert = archive_.database().prepare(
        "INSERT INTO sieve_scripts (name, is_active, blob_id) VALUES (?, ?, ?)");
    insert->bind(1, name).bind(2, is_active).bind(3, archive_.put_blob(content)->id);
    ASSERT_TRUE(insert->run());
  }

  void execute(const std::string& sql) {
    const auto done = archive_.database().execute(sql);
    ASSERT_TRUE(done) << done.error().to_line();
  }

 private:
  ArchiveFile& archive_;
};

}  // namespace plan::archive
