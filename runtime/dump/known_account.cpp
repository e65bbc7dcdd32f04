#include "runtime/dump/known_account.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/dump/directory.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

// Whose keys say the account, the small files first.
constexpr std::string_view kOfAccounts = "nuaflikp";

Result<bool> has_records_of(const std::string& dump, std::uint32_t account) {
  for (const char letter : kOfAccounts) {
    const std::string path = dump + "/" + file_name_of(letter);
    std::error_code code;
    if (!std::filesystem::exists(path, code)) continue;
    PLAN_TRY(reader, FrameReader::open(path, {.is_ahead = true}));
    const Subspace* subspace = find_subspace(letter, reader->header()->schema);
    if (subspace == nullptr || reader->header()->letter != letter) continue;
    while (true) {
      PLAN_TRY(is_there, reader->next());
      if (!is_there) break;
      if (key_shape_fault(*subspace, reader->key()).empty() &&
          account_of(*subspace, reader->key()) == account)
        return true;
    }
  }
  return false;
}

Error no_record(std::uint32_t account) {
  return Error(
      errors::unknown_account,
      fmt::format("no record of account {} in this dump, which has no directory", account));
}

}  // namespace

Result<std::uint32_t> known_account(const std::string& dump, std::string_view named_as) {
  PLAN_TRY(directory, Directory::read(dump));
  PLAN_TRY(id, directory.find_account(named_as));
  if (!directory.empty()) return id;
  PLAN_TRY(has_records, has_records_of(dump, id));
  if (!has_records) return no_record(id);
  return id;
}

Outcome check_account_ids(const std::vector<std::string>& dumps,
                          const std::vector<std::string>& accounts) {
  if (accounts.empty()) return {};
  // Where there is a directory it answers for every account, when the dump is read.
  for (const std::string& dump : dumps) {
    PLAN_TRY(directory, Directory::read(dump));
    if (!directory.empty()) return {};
  }
  for (const std::string& named : accounts) {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(named.data(), named.data() + named.size(), id);
    if (named.empty() || error != std::errc() || end != named.data() + named.size()) continue;
    bool is_known = false;
    for (std::size_t i = 0; i < dumps.size() && !is_known; ++i) {
      PLAN_TRY(has_records, has_records_of(dumps[i], id));
      is_known = has_records;
    }
    if (!is_known) return no_record(id);
  }
  return {};
}

}  // namespace plan::dump
