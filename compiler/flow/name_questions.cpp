#include "compiler/flow/name_questions.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

/// What a condition that is false answers.
constexpr std::string_view kNo = "0\n";

[[nodiscard]] bool is_part_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/// Functions that ask nothing of a name but which one it is.
[[nodiscard]] bool is_blind(std::string_view function) {
  constexpr std::array kBlind = {"is_local_domain", "is_local_address", "key_exists",
                                 "key_get",         "to_lowercase",     "trim"};
  return std::find(kBlind.begin(), kBlind.end(), function) != kBlind.end();
}

[[nodiscard]] bool is_order(Node::Operator op) {
  return op == Node::Operator::greater || op == Node::Operator::greater_equal ||
         op == Node::Operator::less || op == Node::Operator::less_equal;
}

[[nodiscard]] bool is_domain_variable(const Node& node) {
  return node.kind == Node::Kind::variable && node.text == "rcpt_domain";
}

/// Does this node ask more of a name than which one it is?
[[nodiscard]] bool looks_into(const schema::MtaExpression& expression, const Node& node) {
  switch (node.kind) {
    case Node::Kind::matches:
    case Node::Kind::item:
    case Node::Kind::global:
      return true;
    case Node::Kind::call:
      return !is_blind(node.text) && comparison_of(expression, node).names.empty();
    case Node::Kind::binary:
      if (node.op == Node::Operator::add || node.op == Node::Operator::subtract) return true;
      return is_order(node.op) &&
             std::none_of(node.children.begin(), node.children.end(), [&](std::uint32_t child) {
               return expression.nodes[child].kind == Node::Kind::number;
             });
    default:
      return false;
  }
}

/// Are these the two parts that this pattern finds, joined: the address without its tag?
[[nodiscard]] bool is_without_tag(const schema::MtaExpression& expression, const Node& node) {
  if (node.kind != Node::Kind::binary || node.op != Node::Operator::add) return false;
  const Node& left = expression.nodes[node.children[0]];
  const Node& right = expression.nodes[node.children[1]];
  return left.kind == Node::Kind::capture && left.number == 1 &&
         right.kind == Node::Kind::capture && right.number == 2;
}

/// Functions that ask a server for a name, which they take last.
[[nodiscard]] bool asks_for_name(const Node& node) {
  return node.kind == Node::Kind::call && !node.children.empty() &&
         (node.text == "key_exists" || node.text == "key_get" || node.text == "is_local_address");
}

/// What is asked of the message alone, and not of what the server knows.
struct Own {
  bool is_own = true;
  bool has_address = false;
  bool has_capture = false;
  bool is_in_question = false;  ///< a part of a larger one
};

[[nodiscard]] std::vector<Own> own_nodes(const std::vector<Node>& nodes) {
  std::vector<Own> own(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    Own& one = own[i];
    for (const std::uint32_t child : node.children) {
      one.is_own = one.is_own && own[child].is_own;
      one.has_address = one.has_address || own[child].has_address;
      one.has_capture = one.has_capture || own[child].has_capture;
    }
    if (node.kind == Node::Kind::variable) {
      one.has_address = node.text == "rcpt";
      one.is_own = one.has_address || node.text == "rcpt_domain";
    }
    one.has_capture = one.has_capture || node.kind == Node::Kind::capture;
    if (node.kind == Node::Kind::global) one.is_own = false;
    if (asks_server(node)) one.is_own = false;
    for (const std::uint32_t child : node.children) own[child].is_in_question = one.is_own;
  }
  return own;
}

/// May its answer hang on how a name is written, for some names and not for others? What has no
/// capital and no `+` in it tells them apart by the name as it is.
[[nodiscard]] bool tells_spellings(const std::vector<Node>& nodes, std::size_t root) {
  std::vector<std::size_t> open = {root};
  while (!open.empty()) {
    const Node& node = nodes[open.back()];
    open.pop_back();
    if (node.kind == Node::Kind::text &&
        std::any_of(node.text.begin(), node.text.end(),
                    [](char c) { return (c >= 'A' && c <= 'Z') || c == '+'; }))
      return true;
    open.insert(open.end(), node.children.begin(), node.children.end());
  }
  return false;
}

/// What a node asks of the recipient's name.
struct Seen {
  bool is_own = true;  // of the message alone: nothing that the server knows
  bool has_address = false;
  bool has_domain = false;
  bool has_sender = false;       // his domain: who writes here is of the same one, or a stranger
  bool looks_into_name = false;  // itself
  bool asks_more = false;        // it or a part of it
  bool is_in_question = false;   // of the recipient
  bool is_in_question_of_domain = false;  // of his domain alone

  [[nodiscard]] bool is_of_domain() const { return is_own && !has_address; }
};

[[nodiscard]] std::vector<Seen> seen_nodes(const schema::MtaExpression& expression) {
  const std::vector<Node>& nodes = expression.nodes;
  std::vector<Seen> seen(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    Seen& one = seen[i];
    for (const std::uint32_t child : node.children) {
      one.is_own = one.is_own && seen[child].is_own;
      one.has_address = one.has_address || seen[child].has_address;
      one.has_domain = one.has_domain || seen[child].has_domain;
      one.has_sender = one.has_sender || seen[child].has_sender;
      one.asks_more = one.asks_more || seen[child].asks_more;
    }
    one.looks_into_name = looks_into(expression, node);
    one.asks_more = one.asks_more || one.looks_into_name;
    if (node.kind == Node::Kind::variable) {
      one.has_address = node.text == "rcpt";
      one.has_domain = node.text == "rcpt_domain";
      one.has_sender = node.text == "sender_domain";
      one.is_own = one.has_address || one.has_domain || one.has_sender;
    }
    // An alias may be in another domain than the sender.
    if (one.has_sender && (one.has_address || one.has_domain)) one.is_own = false;
    // A capture may be a part of any address.
    if (node.kind == Node::Kind::capture || node.kind == Node::Kind::global) one.is_own = false;
    if (asks_server(node)) one.is_own = false;
    for (const std::uint32_t child : node.children) {
      seen[child].is_in_question = one.is_own;
      seen[child].is_in_question_of_domain = one.is_of_domain();
    }
  }
  return seen;
}

[[nodiscard]] schema::MtaExpression part_of(const schema::MtaExpression& expression,
                                            std::size_t root) {
  schema::MtaExpression part;
  part.nodes.assign(expression.nodes.begin(),
                    expression.nodes.begin() + static_cast<std::ptrdiff_t>(root) + 1);
  return part;
}

}  // namespace

bool is_for_tags(const schema::MtaExpression& expression, const Node& node) {
  return node.kind == Node::Kind::matches &&
         expression.nodes[node.children[0]].text == "^([^+@]+)[+][^@]*(@.+)$" &&
         expression.nodes[node.children[1]].text == "rcpt";
}

bool asks_server(const schema::MtaNode& node) {
  if (node.kind != Node::Kind::call) return false;
  const schema::MtaFunction* function = schema::mta_function(node.text);
  return function == nullptr || function->is_asynchronous;
}

std::string without_name(std::string_view text, std::string_view name) {
  std::string out;
  if (name.empty()) return std::string(text);
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t at = text.find(name, begin);
    if (at == std::string_view::npos) break;
    const std::size_t end = at + name.size();
    const bool is_whole = (at == 0 || !is_part_of_name(text[at - 1])) &&
                          (end == text.size() || !is_part_of_name(text[end]));
    out += text.substr(begin, at - begin);
    out += is_whole ? std::string_view("{}") : name;
    begin = end;
  }
  out += text.substr(std::min(begin, text.size()));
  return out;
}

Comparison comparison_of(const schema::MtaExpression& expression, const Node& node) {
  Comparison comparison;
  if (node.children.size() != 2) return comparison;
  const Node* left = &expression.nodes[node.children[0]];
  const Node* right = &expression.nodes[node.children[1]];
  if (node.kind == Node::Kind::call && node.text == "contains" && left->kind == Node::Kind::list &&
      is_domain_variable(*right)) {
    for (const std::uint32_t child : left->children) {
      const Node& item = expression.nodes[child];
      if (item.kind != Node::Kind::text) return {};
      comparison.names.push_back(&item.text);
    }
    return comparison;
  }
  if (node.kind != Node::Kind::binary) return comparison;
  if (node.op != Node::Operator::equal && node.op != Node::Operator::not_equal) return comparison;
  if (left->kind == Node::Kind::text) std::swap(left, right);
  if (!is_domain_variable(*left) || right->kind != Node::Kind::text) return comparison;
  comparison.names.push_back(&right->text);
  comparison.is_equal = node.op == Node::Operator::equal;
  return comparison;
}

/// At an old Stalwart captures join what a pattern has found, and the server looks that up: there
/// the patterns are the questions.
void NameQuestions::note(const schema::MtaExpression& expression, Server server) {
  const std::vector<Node>& nodes = expression.nodes;
  const std::vector<Seen> seen = seen_nodes(expression);
  for (std::size_t i = 0; i < nodes.size() && server == Server::target; ++i) {
    const Seen& one = seen[i];
    const std::string domain = schema::domain_of_pattern(expression, nodes[i]);
    if (!domain.empty()) own_domains_.insert(domain);
    const bool is_capture = nodes[i].kind == Node::Kind::capture;
    is_each_domain_its_own_ = is_each_domain_its_own_ || is_capture ||
                              (one.looks_into_name && !one.is_of_domain() && domain.empty());
    is_each_address_its_own_ = is_each_address_its_own_ || is_capture ||
                               (one.looks_into_name && one.has_address && !one.is_own);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Seen& one = seen[i];
    if (!one.is_own || !one.asks_more) continue;
    const bool is_of_address = one.has_address && !one.is_in_question;
    const bool is_of_domain = one.is_of_domain() && !one.is_in_question_of_domain;
    if (!is_of_address && !is_of_domain) continue;
    if (server == Server::source && is_for_tags(expression, nodes[i])) continue;
    if (is_of_domain) {
      of_domain_.push_back(part_of(expression, i));
      continue;
    }
    const std::string domain = lower_ascii(schema::domain_of_pattern(expression, nodes[i]));
    (domain.empty() ? of_any_ : of_those_in_[domain]).push_back(of_address_.size());
    of_address_.push_back(
        {part_of(expression, i), tells_spellings(nodes, i), spellings_.size() - 1});
  }
  spellings_.back().note(expression);
  if (server == Server::source) note_captures(expression);
  note_names_asked_for(expression);
}

/// What an old Stalwart makes of the captures of a pattern, which it may look up or compare: of
/// each address something else, but for the address itself.
void NameQuestions::note_captures(const schema::MtaExpression& expression) {
  const std::vector<Node>& nodes = expression.nodes;
  const std::vector<Own> own = own_nodes(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!own[i].is_own || !own[i].has_capture || own[i].is_in_question) continue;
    bool is_found = false;
    for (std::size_t pattern = 0; pattern < i; ++pattern) {
      if (nodes[pattern].kind != Node::Kind::matches) continue;
      // What it finds in a sender, or in what another one has found, is asked of nobody here.
      if (!own[pattern].is_own || own[pattern].has_capture) {
        is_each_address_its_own_ = true;
        return;
      }
      is_found = true;
      if (is_for_tags(expression, nodes[pattern]) && is_without_tag(expression, nodes[i])) continue;
      schema::MtaExpression& question = captures_.emplace_back(part_of(expression, i));
      Node& both = question.nodes.emplace_back();
      both.kind = Node::Kind::list;
      both.children = {static_cast<std::uint32_t>(pattern), static_cast<std::uint32_t>(i)};
    }
    // Of a pattern of another condition.
    is_each_address_its_own_ = is_each_address_its_own_ || !is_found;
  }
}

/// Names that an expression makes and a server looks up, whoever the message is for: who has one is
/// asked for himself, and everybody else for him.
void NameQuestions::note_names_asked_for(const schema::MtaExpression& expression) {
  const std::vector<Own> own = own_nodes(expression.nodes);
  for (const Node& node : expression.nodes) {
    if (!asks_for_name(node)) continue;
    const std::uint32_t name = node.children.back();
    const Node::Kind kind = expression.nodes[name].kind;
    if (kind == Node::Kind::text || kind == Node::Kind::variable) continue;
    if (own[name].is_own && !own[name].has_address && !own[name].has_capture)
      asked_for_.push_back(part_of(expression, name));
  }
}

std::string NameQuestions::answer(const schema::MtaExpression& question,
                                  const std::string& address) {
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view variable) {
    return ir::Value(variable == "rcpt" ? address : domain_of(address));
  };
  const auto answer = schema::evaluate(question, environment);
  return (answer ? schema::text_of(*answer) : std::string("?")) + '\n';
}

std::string NameQuestions::answers(const std::string& address) const {
  std::string text;
  // The proof writes to the address with a tag too.
  const std::array<std::string, 2> names = {address, with_tag(address)};
  std::vector<std::optional<std::vector<Spelling>>> spellings;
  const auto ask = [&](std::size_t number) {
    const OfAddress& one = of_address_[number];
    std::size_t place = 0;
    // Most patterns are for a few, and nothing is said of all the others.
    const auto note = [&](const std::string& name) {
      const std::string said = answer(one.question, name);
      if (said != kNo) text += fmt::format("{} {} {}", number, place, said);
      ++place;
    };
    for (const std::string& name : names) note(name);
    if (!one.tells_spellings) return;
    if (spellings.empty()) spellings.resize(spellings_.size());
    std::optional<std::vector<Spelling>>& told = spellings[one.expression];
    if (!told) told = spellings_[one.expression].of(address);
    for (const Spelling& spelling : *told) note(spelling.address);
  };
  for (const std::size_t number : of_any_) ask(number);
  if (!of_those_in_.empty()) {
    if (const auto own = of_those_in_.find(domain_of(address)); own != of_those_in_.end()) {
      for (const std::size_t number : own->second) ask(number);
    }
  }
  for (const schema::MtaExpression& question : captures_) {
    for (const std::string& name : names)
      text += without_name(without_name(answer(question, name), address), domain_of(address));
  }
  for (const schema::MtaExpression& question : asked_for_)
    text += answer(question, address) == address + '\n' ? "asked for\n" : "\n";
  return text;
}

std::string NameQuestions::answers_of_domain(const std::string& domain) const {
  std::string text;
  for (const schema::MtaExpression& question : of_domain_) {
    for (const std::string& name : {"@" + domain, "@sub." + domain}) text += answer(question, name);
  }
  return text;
}

}  // namespace plan::flow
