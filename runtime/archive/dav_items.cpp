#include "runtime/archive/dav_items.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/target_shelf.h"

namespace plan::archive {
namespace {

store::Statement& bind_text_or_null(store::Statement& statement, int parameter,
                                    const std::string& text) {
  return text.empty() ? statement.bind_null(parameter) : statement.bind(parameter, text);
}

}  // namespace

std::string DavItem::uid() const {
  return entry ? std::string((*entry)["uid"].string_or("")) : std::string();
}

std::string DavItem::where(const DavCollection& collection) const {
  std::string_view title;
  if (entry)
    title = collection.kind == net::dav::Kind::calendar ? (*entry)["title"].string_or("")
                                                        : (*entry)["name"]["full"].string_or("");
  const std::string name =
      title.empty() ? printable(href, 200) : fmt::format("`{}`", printable(title, 100));
  return fmt::format("{} {} in {}", words_of(collection.kind).one, name,
                     printable(collection.name, 100));
}

Result<std::vector<DavCollection>> load_dav_collections(ArchiveFile& archive) {
  std::vector<DavCollection> all;
  PLAN_TRY(rows, archive.database().prepare(
                     "SELECT id, kind, href, name, description, color, is_gone, target_id, "
                     "is_wanted, is_ours FROM plan_dav_collection ORDER BY href"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return all;
    all.push_back(
        {.id = rows.integer(0),
         .kind = rows.integer(1) == 0 ? net::dav::Kind::calendar : net::dav::Kind::address_book,
         .href = std::string(rows.text(2)),
         .name = std::string(rows.text(3)),
         .description = std::string(rows.text(4)),
         .color = std::string(rows.text(5)),
         .is_gone = rows.integer(6) != 0,
         .target_id = std::string(rows.text(7)),
         .is_wanted = rows.integer(8) != 0,
         .is_ours = rows.integer(9) != 0});
  }
}

Result<std::vector<DavItem>> load_dav_items(ArchiveFile& archive, net::dav::Kind kind) {
  std::vector<DavItem> all;
  PLAN_TRY(rows,
           archive.database().prepare(
               "SELECT i.id, i.collection_id, i.href, i.etag, i.sha256, i.is_gone, CASE WHEN "
               "i.entry_sha256 = i.sha256 THEN i.entry END, i.target_id, i.pushed_sha256, "
               "i.target_digest, i.problem FROM plan_dav_item i JOIN plan_dav_collection c ON c.id "
               "= i.collection_id WHERE c.kind = ? ORDER BY i.href"));
  rows.bind(1, static_cast<std::int64_t>(kind));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return all;
    DavItem item{.id = rows.integer(0),
                 .collection_id = rows.integer(1),
                 .href = std::string(rows.text(2)),
                 .etag = std::string(rows.text(3)),
                 .sha256 = std::string(rows.blob(4)),
                 .is_gone = rows.integer(5) != 0,
                 .target_id = std::string(rows.text(7)),
                 .pushed_sha256 = std::string(rows.blob(8)),
                 .target_digest = std::string(rows.blob(9)),
                 .problem = std::string(rows.text(10))};
    if (!rows.is_null(6)) {
      PLAN_TRY(entry, ir::parse_json(rows.text(6)));
      item.entry = std::move(entry);
    }
    all.push_back(std::move(item));
  }
}

Outcome keep_dav_collection(ArchiveFile& archive, const DavCollection& collection) {
  PLAN_TRY(keep,
           archive.database().prepare("UPDATE plan_dav_collection SET target_id = ?, is_wanted = "
                                      "?, is_ours = ? WHERE id = ?"));
  bind_text_or_null(keep, 1, collection.target_id);
  keep.bind(2, collection.is_wanted).bind(3, collection.is_ours).bind(4, collection.id);
  return keep.run();
}

Outcome keep_dav_item(ArchiveFile& archive, const DavItem& item) {
  PLAN_TRY(keep,
           archive.database().prepare("UPDATE plan_dav_item SET target_id = ?, pushed_sha256 = ?, "
                                      "target_digest = ?, problem = ? WHERE id = ?"));
  bind_text_or_null(keep, 1, item.target_id);
  keep.bind_blob(2, item.pushed_sha256).bind_blob(3, item.target_digest);
  bind_text_or_null(keep, 4, item.problem);
  keep.bind(5, item.id);
  return keep.run();
}

}  // namespace plan::archive
