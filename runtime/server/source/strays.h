#pragma once
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// What `doveadm user NAME ...` prints of those that it knows: no name stands beside a value, and
/// of those that it does not know there is nothing.
struct ToldPlaces {
  std::size_t accounts = 0;            ///< of how many it said something
  std::set<std::string> folders = {};  ///< the outermost folder that is the account's alone, each
};
[[nodiscard]] ToldPlaces told_places(std::string_view printed);

/// The folders in which the accounts' own lie, with the number of levels down to these. Where a
/// level has the name of a domain, the one above it: beside the domain are those of domains that
/// have gone, and `_garbage`.
[[nodiscard]] std::map<std::string, std::size_t> parents_of(const std::set<std::string>& folders,
                                                            const std::set<std::string>& domains);

/// Of what `find -print0` lists below those: what is no account's folder, is in none and has none
/// in it. Sorted; of one inside another only the outer one.
[[nodiscard]] std::vector<std::string> folders_of_nobody(const std::set<std::string>& folders,
                                                         std::string_view listing);

/// The measurements `source/strays` and `source/strays/first` of a survey: folders beside those of
/// `users` that hold messages and are nobody's. Only names are looked at. What goes wrong is told
/// by a null value.
[[nodiscard]] ir::Value measure_strays(Source& source, const std::vector<std::string>& users,
                                       const std::set<std::string>& domains);

}  // namespace plan::server::source
