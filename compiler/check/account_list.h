#pragma once
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"

namespace plan::check {

/// The addresses of `names` in lower case; what is no address (bad-address) is left out, one that
/// stands twice (duplicate-name) is reported. `takes_domains`: `@example.org` stands for a domain.
[[nodiscard]] std::vector<Named> addresses_in(std::vector<Named> names, bool takes_domains,
                                              Sink& sink);
/// Names that stand twice, each with the place of the first.
void report_duplicates(const std::vector<Named>& names, std::string_view what, Sink& sink);

/// The accounts of the csv file that the plan names: its first line names the columns, `address` is
/// the one that is read. Reports what is wrong with them as for a list in the plan.
void read_account_file(Plan& plan, const SourceSet& sources, FileId file, Sink& sink);

}  // namespace plan::check
