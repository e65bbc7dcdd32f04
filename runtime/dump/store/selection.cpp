#include "runtime/dump/store/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

Result<SelectedLetters> select_letters(const std::vector<std::string>& named,
                                       std::uint32_t schema) {
  if (subspaces(schema).empty()) {
    return Error(errors::store_has_no_schema,
                 fmt::format("schema {} is none whose subspaces plan knows", schema));
  }
  std::set<char> letters;
  SelectedLetters selected;
  const bool is_all = named.empty() || std::find(named.begin(), named.end(), "all") != named.end();
  if (is_all) {
    for (const Subspace& subspace : subspaces(schema)) {
      if (subspace.is_exported()) letters.insert(subspace.letter);
    }
  }
  for (const std::string& name : named) {
    if (name == "all") continue;
    PLAN_TRY(selection, select_subspaces(name, schema));
    for (const Subspace* subspace : selection.subspaces) letters.insert(subspace->letter);
    if (!selection.note.empty()) selected.notes.push_back(selection.note);
  }
  selected.letters.assign(letters.begin(), letters.end());
  return selected;
}

}  // namespace plan::dump
