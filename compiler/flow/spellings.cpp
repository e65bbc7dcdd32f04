#include "compiler/flow/spellings.h"

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/flow/senders.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

constexpr std::size_t kSpellingsMax = 16;
constexpr std::size_t kTagsMax = 8;
constexpr std::size_t kTextBytesMax = 256;

/// Functions to which all spellings of a name are one, or that look the whole of it up.
[[nodiscard]] bool is_blind_to_spelling(std::string_view function) {
  constexpr std::array kBlind = {
      "is_local_domain", "is_local_address",     "key_exists", "key_get",  "to_lowercase", "trim",
      "eq_ignore_case",  "contains_ignore_case", "is_empty",   "is_email", "len",          "count"};
  return std::find(kBlind.begin(), kBlind.end(), function) != kBlind.end();
}

/// `Alice@x` of `alice@x`.
[[nodiscard]] std::string with_capital(std::string address) {
  if (!address.empty() && address[0] >= 'a' && address[0] <= 'z')
    address[0] = static_cast<char>(address[0] - 32);
  return address;
}

[[nodiscard]] std::string without_tag(std::string_view local) {
  const std::size_t tag = local.find('+');
  return lower_ascii(tag == std::string_view::npos || tag == 0 ? local : local.substr(0, tag));
}

[[nodiscard]] bool has_tag(std::string_view address) {
  const std::size_t tag = address.find('+');
  return tag != 0 && tag < address.rfind('@');
}

void add_once(std::string text, std::vector<std::string>& texts) {
  if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
}

}  // namespace

std::string upper_local(std::string address) {
  for (char& c : address) {
    if (c == '@') break;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return address;
}

void Spellings::note_tag(std::string_view tag) {
  tag = tag.substr(0, tag.find('@'));
  if (!tag.empty() && tags_.size() < kTagsMax) add_once(std::string(tag), tags_);
}

/// "Alice@x", "alice+sales", "+sales@": a name, its local part, or a tag.
void Spellings::note_text(std::string_view text) {
  if (text.empty() || text.size() > kTextBytesMax) return;
  const std::size_t plus = text.find('+');
  if (plus == 0) return note_tag(text.substr(1));
  const std::size_t at = text.find('@');
  if (at == 0) return;
  if (at != std::string_view::npos && at + 1 != text.size()) {
    Address address = parse_address(text);
    std::string name = without_tag(address.local) + "@" + address.domain;
    return add_once(address.text(), named_[std::move(name)]);
  }
  const std::string_view local = text.substr(0, at);
  std::string name = without_tag(local);
  if (name != local) add_once(std::string(local), locals_[std::move(name)]);
}

void Spellings::note(const schema::MtaExpression& expression) {
  const std::vector<Node>& nodes = expression.nodes;
  std::vector<bool> has_recipient(nodes.size());
  std::vector<bool> is_pattern(nodes.size());
  bool asks_recipient = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::variable) has_recipient[i] = node.text == "rcpt";
    for (const std::uint32_t child : node.children)
      has_recipient[i] = has_recipient[i] || has_recipient[child];
    asks_recipient = asks_recipient || has_recipient[i];
  }
  if (!asks_recipient) return;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::matches) {
      is_pattern[node.children[0]] = true;
      if (!has_recipient[i] || is_for_tags(expression, node)) continue;
      looks_into_names_ = true;
      const auto text = text_for_pattern(nodes[node.children[0]].text);
      if (!text) continue;
      note_text(*text);
      if (const std::size_t plus = text->find('+'); plus != std::string::npos)
        note_tag(std::string_view(*text).substr(plus + 1));
    } else if (node.kind == Node::Kind::call && has_recipient[i] &&
               !is_blind_to_spelling(node.text)) {
      const bool is_of_list =
          !node.children.empty() && nodes[node.children[0]].kind == Node::Kind::list;
      looks_into_names_ = looks_into_names_ || !is_of_list;
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].kind == Node::Kind::text && !is_pattern[i]) note_text(nodes[i].text);
  }
}

std::vector<Spelling> Spellings::of(const std::string& name) const {
  const std::size_t at = name.rfind('@');
  if (at == std::string::npos) return {};
  std::vector<std::string> found;
  const std::string local = name.substr(0, at);
  const std::string domain = name.substr(at);
  const auto named = named_.find(name);
  if (named != named_.end()) found = named->second;
  if (const auto locals = locals_.find(local); locals != locals_.end()) {
    for (const std::string& one : locals->second) add_once(one + domain, found);
  }
  for (const std::string& tag : tags_) {
    std::string one = local;
    one += '+';
    one += tag;
    one += domain;
    add_once(std::move(one), found);
  }
  if (looks_into_names_ || named != named_.end()) {
    for (std::string one : {upper_local(name), with_capital(name), with_tag(name)})
      add_once(std::move(one), found);
  }
  std::vector<Spelling> spellings;
  for (std::string& one : found) {
    if (one == name || spellings.size() >= kSpellingsMax) continue;
    // With one in the name itself what follows is no tag to everybody.
    const bool is_tagged = has_tag(one);
    if (is_tagged && has_tag(name)) continue;
    spellings.push_back({name, std::move(one), is_tagged});
  }
  return spellings;
}

const Spellings& SpellingQuestions::asked_by(const schema::MtaContainer& container) {
  const auto [known, is_new] = known_.try_emplace(&container);
  if (is_new) {
    for (const auto& arm : container.arms()) known->second.note(arm.condition);
  }
  return known->second;
}

std::vector<Spelling> SpellingQuestions::of(const World& world,
                                            const std::vector<std::string>& names) {
  std::vector<Spelling> all;
  const auto add = [&](const schema::MtaContainer* container) {
    if (container == nullptr) return;
    const Spellings& asked = asked_by(*container);
    for (const std::string& name : names) {
      for (Spelling& one : asked.of(name)) {
        const auto is_same = [&](const Spelling& other) { return other.address == one.address; };
        if (std::any_of(all.begin(), all.end(), is_same)) continue;
        const std::string lower = one.has_tag ? lower_ascii(one.address) : name;
        const bool is_name = std::find(names.begin(), names.end(), lower) != names.end();
        const bool is_of_somebody =
            one.has_tag && (is_name || (world.is_of_others &&
                                        world.is_of_others({Question::Kind::account, {}, lower})));
        if (!is_of_somebody) all.push_back(std::move(one));
      }
    }
  };
  add(world.target.route.get());
  if (world.source.stalwart) add(world.source.stalwart->route.get());
  return all;
}

}  // namespace plan::flow
