#include "compiler/syntax/key_set.h"

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::syntax {
namespace {

constexpr std::size_t kSmallMapping = 16;

}  // namespace

bool KeySet::has(const Node& mapping, const std::string& key) {
  if (mapping.entries.size() < kSmallMapping) return mapping.find_entry(key) != nullptr;
  if (keys_.empty()) {
    for (const Entry& entry : mapping.entries) keys_.insert(entry.key);
  }
  return !keys_.insert(key).second;
}

bool KeySet::add(Node& mapping, Entry entry, Sink& sink) {
  if (!has(mapping, entry.key)) {
    mapping.entries.push_back(std::move(entry));
    return true;
  }
  const Entry* first = mapping.find_entry(entry.key);
  auto report = sink.report(Kind::duplicate_key, entry.key_span,
                            fmt::format("key `{}` stands here twice", printable(entry.key, 80)));
  if (first != nullptr) report.note(first->key_span, "it stands here first");
  return false;
}

}  // namespace plan::syntax
