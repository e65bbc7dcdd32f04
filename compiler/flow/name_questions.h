#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/flow/spellings.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// `text` with `{}` for every `name` that is not a part of a longer one.
[[nodiscard]] std::string without_name(std::string_view text, std::string_view name);

/// Is it a call of which the message alone does not say the answer?
[[nodiscard]] bool asks_server(const schema::MtaNode& node);

/// The pattern by which std/stalwart-source leaves out a tag: all addresses without one are alike
/// to it, and it is not asked of a hundred thousand of them.
[[nodiscard]] bool is_for_tags(const schema::MtaExpression& expression,
                               const schema::MtaNode& node);

/// What `rcpt_domain` is compared with: `rcpt_domain == 'a'`, or `contains(['a', 'b'],
/// rcpt_domain)`.
struct Comparison {
  std::vector<const std::string*> names = {};  ///< none: the node is something else
  bool is_equal = true;                        ///< false: `!=`

  [[nodiscard]] bool has(std::string_view name) const {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string* one) { return *one == name; });
  }
};

[[nodiscard]] Comparison comparison_of(const schema::MtaExpression& expression,
                                       const schema::MtaNode& node);

/// What route expressions ask of a name beside which one it is. A question that the domain alone
/// decides is kept, to be asked of every domain, and one that the address alone decides, to be
/// asked of every address; the others make domains, or addresses, each their own.
class NameQuestions {
 public:
  enum class Server : std::uint8_t { source, target };
  /// What is noted from here on is of another expression: its spellings are its own.
  void begin_expression() { spellings_.emplace_back(); }
  void note(const schema::MtaExpression& expression, Server server);

  /// An expression looks into names beside what it is told: into those of any domain, or into those
  /// of this one or of one below it.
  [[nodiscard]] bool is_its_own(const std::string& domain) const {
    return is_each_domain_its_own_ || own_domains_.contains(domain) ||
           (!own_domains_.empty() && own_domains_.contains("sub." + domain));
  }
  /// Likewise, and into what the server knows of one.
  [[nodiscard]] bool is_each_address_its_own() const { return is_each_address_its_own_; }
  [[nodiscard]] bool are_of_addresses() const {
    return !of_address_.empty() || !captures_.empty() || !asked_for_.empty();
  }
  [[nodiscard]] std::string answers(const std::string& address) const;
  /// And for somebody in a domain below this one.
  [[nodiscard]] std::string answers_of_domain(const std::string& domain) const;

 private:
  void note_captures(const schema::MtaExpression& expression);
  void note_names_asked_for(const schema::MtaExpression& expression);
  [[nodiscard]] static std::string answer(const schema::MtaExpression& question,
                                          const std::string& address);

  struct OfAddress {
    schema::MtaExpression question = {};
    bool tells_spellings = false;
    std::size_t expression = 0;  ///< number of the whole
  };
  std::vector<OfAddress> of_address_;
  // By number: those that are asked of everybody, and by domain those that are false elsewhere.
  std::vector<std::size_t> of_any_;
  std::unordered_map<std::string, std::vector<std::size_t>> of_those_in_;
  std::vector<Spellings> spellings_ = {Spellings()};  // by expression
  std::vector<schema::MtaExpression> of_domain_;
  std::vector<schema::MtaExpression> captures_;   // what is made of what a pattern finds
  std::vector<schema::MtaExpression> asked_for_;  // names made of a domain: somebody may have one
  std::unordered_set<std::string> own_domains_;
  bool is_each_domain_its_own_ = false;
  bool is_each_address_its_own_ = false;
};

}  // namespace plan::flow
