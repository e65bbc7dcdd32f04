#pragma once
// Alters one member of a recorded answer: the comparison has to object.
#include "normalise.h"
#include "score.h"

namespace plan::replay {

/// Alters one compared member of the recorded answer to exchange `number` of a file (another one
/// each time) and holds the result against `ours`, with the names that were known before. What is
/// let through is counted by name in the score; an alteration without an objection goes to its
/// `deaf`. False when no member is compared.
[[nodiscard]] bool alter_answer(const ir::Value& recorded, const ir::Value& ours,
                                const NameMap& names, std::size_t number, const std::string& where,
                                Score& score);

/// The same for the lines of a line protocol, word by word.
void alter_lines(const std::vector<std::string>& recorded, std::size_t number,
                 const std::string& where, Score& score);

}  // namespace plan::replay
