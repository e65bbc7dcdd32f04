#include "compiler/check/account_list.h"

#include <fmt/format.h>

#include <optional>

#include "compiler/check/names.h"
#include "compiler/source/text.h"
#include "compiler/source/text_index.h"
#include "compiler/syntax/csv.h"

namespace plan::check {
namespace {

constexpr std::string_view kAddressColumn = "address";
constexpr std::size_t kFirstLineBytesMax = 4096;  // that are searched for another separator

/// What the first line shows of how the file was saved.
std::string other_form(std::string_view first_line) {
  first_line = first_line.substr(0, kFirstLineBytesMax);
  if (first_line.find('\r') != std::string_view::npos)
    return "its lines end with CR alone; save the file with the line ends of Unix or Windows";
  for (const auto& [separator, name] : {std::pair(';', "semicolons"), std::pair('\t', "tabs")}) {
    for (const std::string_view word : split(first_line, separator)) {
      if (equals_ignoring_case(trim(word), kAddressColumn))
        return fmt::format("its columns are separated by {}; save the file with commas", name);
    }
  }
  return "the first line names the columns: `address,department`";
}

}  // namespace

std::vector<Named> addresses_in(std::vector<Named> names, bool takes_domains, Sink& sink) {
  std::vector<Named> addresses;
  addresses.reserve(names.size());
  for (Named& address : names) {
    const bool is_domain = takes_domains && address.text.starts_with('@') &&
                           why_not_domain(lower_ascii(address.text.substr(1))).empty();
    if (const std::string why = is_domain ? "" : why_not_address(address.text); !why.empty()) {
      sink.report(Kind::bad_address, address.span,
                  fmt::format("`{}` is no mail address: {}", printable(address.text, 80), why));
      continue;
    }
    address.text = lower_ascii(address.text);
    addresses.push_back(std::move(address));
  }
  report_duplicates(addresses, "address", sink);
  return addresses;
}

void report_duplicates(const std::vector<Named>& names, std::string_view what, Sink& sink) {
  TextIndex first;
  first.reserve(names.size());
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    const Named& name = names[i];
    const auto known = first.insert(
        name.text, i, [&](std::uint32_t other) { return names[other].text == name.text; });
    if (!known) continue;
    sink.report(Kind::duplicate_name, name.span,
                fmt::format("{} `{}` stands here twice", what, printable(name.text, 80)))
        .note(names[*known].span, "it stands here first");
  }
}

void read_account_file(Plan& plan, const SourceSet& sources, FileId file, Sink& sink) {
  plan.has_account_list = true;
  bool has_header = false;
  std::optional<std::size_t> column;
  std::vector<Named> names;
  const bool is_read =
      syntax::read_csv(sources, file, sink, [&](std::span<const syntax::CsvField> row) {
        if (has_header) {
          if (column) names.push_back({std::string(trim(row[*column].text)), row[*column].span});
          return;
        }
        has_header = true;
        for (std::size_t i = 0; i < row.size(); ++i) {
          if (!equals_ignoring_case(trim(row[i].text), kAddressColumn)) continue;
          if (column) {
            sink.report(Kind::duplicate_name, row[i].span, "column `address` stands here twice")
                .note(row[*column].span, "it stands here first")
                .help("which of them has the accounts cannot be told: leave one of them");
            return;
          }
          column = i;
        }
        if (column) return;
        sink.report(Kind::missing_key, row.front().span, "the first line names no column `address`")
            .help(other_form(row.front().text));
      });
  // Half a file would be half of the accounts.
  if (!is_read) return;
  if (names.empty() && column) {
    // That nobody moves, and what follows, is said here.
    plan.is_partial = true;
    sink.report(Kind::accounts_empty, Span{file, 0, 0}, "the file names no account")
        .label("there is nothing below the line with the names of the columns")
        .help("write the address of an account in each line");
  }
  plan.account_list = addresses_in(std::move(names), false, sink);
}

}  // namespace plan::check
