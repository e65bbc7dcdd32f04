// links: dump
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/dump/key_shape.h"
#include "runtime/dump/record_filter.h"
#include "runtime/dump/references.h"

/// Every key shape of both versions, and what is made of a key that has it: whose it is, whether a
/// filter takes it, what it refers to. The first byte chooses letter and version, the second how
/// much of the rest is key.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::dump;
  if (size < 2) return 0;
  const std::uint32_t schema = (data[0] & 0x80U) != 0 ? kSchema15 : kSchema16;
  const Subspace* subspace = find_subspace(static_cast<char>('a' + (data[0] & 0x7FU) % 26), schema);
  if (subspace == nullptr) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string key(rest.substr(0, data[1]));
  const std::string value(rest.substr(key.size()));
  if (!key_shape_fault(*subspace, key).empty()) return 0;
  (void)value_length_fault(*subspace, key, value.size());
  (void)is_archive(*subspace, key);
  (void)account_of(*subspace, key);
  static const auto filter = RecordFilter::make({.accounts = {"1"}}, {"/nonexistent"}, kSchema16);
  static const auto filter_15 =
      RecordFilter::make({.accounts = {"1"}}, {"/nonexistent"}, kSchema15);
  const auto& chosen = schema == kSchema16 ? filter : filter_15;
  if (chosen) (void)chosen->takes(*subspace, key, value);
  FaultList faults;
  ReferenceBook book(schema);
  for (const char letter : std::string("dpkt")) book.begin(*find_subspace(letter, schema), faults);
  book.begin(*subspace, faults);
  const CheckedRecord record{.key = key, .value = value, .value_bytes = value.size()};
  book.add(record);
  book.add(record);
  std::vector<std::string> not_checked;
  book.finish(not_checked);
  return 0;
}
