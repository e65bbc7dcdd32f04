// links: archive
// An archive that somebody sends us, as tests/fuzz/altered_file.h makes it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/tool.h"
#include "tests/fuzz/altered_file.h"
#include "tests/fuzz/temporary_folder.h"

namespace {

using namespace plan;

/// Bytes of an archive with a mailbox tree, a message, a contact card and a script.
std::string good_archive(const std::string& path) {
  {
    auto archive = archive::ArchiveFile::open(path);
    PLAN_CHECK(archive.has_value(), "an archive can be made");
    const auto blob = archive->put_blob("Subject: x\r\n\r\nbody\r\n");
    PLAN_CHECK(blob && blob->id == 1, "and filled");
    const auto filled = archive->database().execute(
        "INSERT INTO sources (kind, session_url, account_id, username) VALUES ('imap', "
        "'imap://x:143', 'a', 'a');"
        "INSERT INTO mailboxes (id, name, parent_id) VALUES (1, 'INBOX', NULL), (2, 'Sub', 1);"
        "INSERT INTO emails (id, blob_id, received_at, mailbox_ids, keywords) VALUES (1, 1, "
        "'2026-01-01T00:00:00Z', '[1,2]', '[\"$seen\"]');"
        "INSERT INTO contact_cards (uid, address_book_ids, data) VALUES ('u', '[]', "
        "'{\"photo\":{\"@blob\":1}}');"
        "INSERT INTO sieve_scripts (id, name, is_active, blob_id) VALUES (1, 'main', 1, 1);"
        "PRAGMA journal_mode=DELETE;");
    PLAN_CHECK(filled.has_value(), "with rows");
  }
  return fuzz::file_bytes(path);
}

struct Place {
  fuzz::TemporaryFolder folder;
  std::string path = folder.path() + "/a.sqlite";
  std::string good = good_archive(folder.path() + "/good.sqlite");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  const std::string bytes = fuzz::altered(place.good, {reinterpret_cast<const char*>(data), size});
  fuzz::write_database(place.path, bytes);
  if (const auto seen = archive::inspect_archive(place.path))
    PLAN_CHECK((*seen)["rows"].is_map(), "an archive has rows");
  const auto verified = archive::verify_archive(place.path);
  if (bytes == place.good)
    PLAN_CHECK(verified && (*verified)["is_sound"].bool_or(false), "a good archive is sound");
  static_cast<void>(archive::diff_archives(place.path, place.path));
  static_cast<void>(archive::compact_archive(place.path));
  return 0;
}
