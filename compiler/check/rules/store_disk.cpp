// Prevents: a disk that fills while a dump is written or a store filled. The server's own export
// does not notice: the last bytes are written where nobody looks at errors
// (reference/stalwart-store.md 5.1).
#include <fmt/format.h>

#include <map>

#include "compiler/check/rules.h"
#include "compiler/check/store_plan.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Use {
  std::uint64_t wanted = 0;
  std::uint64_t free = 0;
  std::size_t dumps = 0;
  bool has_store = false;
  Span span = {};
  const facts::Measurement* measured = nullptr;
};

std::uint64_t sum(std::uint64_t left, std::uint64_t right) {
  return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

std::string what_goes_there(const Use& use) {
  std::string text;
  if (use.dumps > 0) text = counted(use.dumps, "dump", "dumps");
  if (use.has_store) text += text.empty() ? "the new store" : " and the new store";
  return text;
}

}  // namespace

void store_disk(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const auto bytes = migration.facts->count("store/from/bytes");
  if (!bytes) return;
  // What lies on one disk is counted together.
  std::map<std::string, Use> disks;
  const auto add = [&](const std::string& what, Span span, std::uint64_t wanted, bool is_store) {
    const auto free = migration.facts->count(what + "/free");
    if (!free) return;
    const auto* mount = migration.facts->find(what + "/disk");
    Use& use = disks[mount == nullptr ? what : std::string(mount->value.string_or(what))];
    use.wanted = sum(use.wanted, wanted);
    use.free = *free;
    use.measured = migration.facts->find(what + "/free");
    if (!use.span.is_known()) use.span = span;
    if (is_store) {
      use.has_store = true;
    } else {
      ++use.dumps;
    }
  };
  // Blobs that are kept as files are in a dump, and stay where they are when the store moves.
  const std::uint64_t blobs = migration.facts->count("store/from/blobs").value_or(0);
  for (const PlanDump& dump : migration.plan.dumps)
    add("dump/" + dump.folder.text, dump.folder.span, has_blobs(dump) ? sum(*bytes, blobs) : *bytes,
        false);
  if (migration.plan.store.is_moved) add("store/to", migration.plan.store.to_span, *bytes, true);
  for (const auto& [disk, use] : disks) {
    if (use.wanted <= use.free) continue;
    const auto shown = shown_bytes(use.wanted, use.free);
    sink.report(Kind::disk_too_small, use.span,
                fmt::format("{} may take {}, the disk has {} free", what_goes_there(use),
                            shown.first, shown.second))
        .note(use.measured->span,
              use.measured->when.empty()
                  ? "measured here"
                  : fmt::format("measured {}", printable(use.measured->when, 40)))
        .help("make room and run `plan fetch`, or name a folder on another disk");
  }
}

}  // namespace plan::check::rules
