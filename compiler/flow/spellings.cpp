#include "compiler/flow/spellings.h"

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/flow/text_for_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

constexpr std::size_t kSpellingsMax = 16;
constexpr std::size_t kTagsMax = 8;
constexpr std::string_view kTooManyTags = "more than 8 tags are asked for";
constexpr std::string_view kTooManySpellings = "more than 16 ways to write the name are asked for";
static_assert(kTagsMax == 8 && kSpellingsMax == 16, "these say how many");

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

}  // namespace

std::string upper_local(std::string address) {
  for (char& c : address) {
    if (c == '@') break;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return address;
}

void Spellings::add_once(Noted one, AllNoted& all) {
  const auto is_same = [&](const Noted& other) { return other.text == one.text; };
  if (std::none_of(all.begin(), all.end(), is_same)) all.push_back(std::move(one));
}

void Spellings::note_tag(std::string_view tag) {
  tag = tag.substr(0, tag.find('@'));
  if (tag.empty()) return;
  const auto is_same = [&](const Noted& other) { return other.text == tag; };
  if (std::any_of(tags_.begin(), tags_.end(), is_same)) return;
  Noted one{std::string(tag), conditions_.size() - 1};
  if (tags_.size() < kTagsMax) {
    tags_.push_back(std::move(one));
  } else if (!tag_beyond_) {
    tag_beyond_ = std::move(one);
  }
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
    return add_once({address.text(), conditions_.size() - 1}, named_[std::move(name)]);
  }
  const std::string_view local = text.substr(0, at);
  std::string name = without_tag(local);
  if (name != local)
    add_once({std::string(local), conditions_.size() - 1}, locals_[std::move(name)]);
}

void Spellings::note(const schema::MtaExpression& expression, std::string_view text) {
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
  conditions_.emplace_back(text);
  const auto look_into_names = [&] {
    if (!looks_into_names_) looks_into_names_ = conditions_.size() - 1;
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::matches) {
      is_pattern[node.children[0]] = true;
      if (!has_recipient[i] || is_for_tags(expression, node)) continue;
      look_into_names();
      const auto found = text_for_pattern(nodes[node.children[0]].text);
      if (!found) continue;
      note_text(*found);
      if (const std::size_t plus = found->find('+'); plus != std::string::npos)
        note_tag(std::string_view(*found).substr(plus + 1));
    } else if (node.kind == Node::Kind::call && has_recipient[i] &&
               !is_blind_to_spelling(node.text)) {
      const bool is_of_list =
          !node.children.empty() && nodes[node.children[0]].kind == Node::Kind::list;
      if (!is_of_list) look_into_names();
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].kind == Node::Kind::text && !is_pattern[i]) note_text(nodes[i].text);
  }
}

std::vector<Spelling> Spellings::of(const std::string& name,
                                    std::optional<Untried>* untried) const {
  const std::size_t at = name.rfind('@');
  if (at == std::string::npos) return {};
  AllNoted found;
  const std::string local = name.substr(0, at);
  const std::string domain = name.substr(at);
  const auto named = named_.find(name);
  if (named != named_.end()) found = named->second;
  if (const auto locals = locals_.find(local); locals != locals_.end()) {
    for (const Noted& one : locals->second) add_once({one.text + domain, one.condition}, found);
  }
  const auto tagged = [&](const Noted& tag) {
    std::string one = local;
    one += '+';
    one += tag.text;
    one += domain;
    return one;
  };
  for (const Noted& tag : tags_) add_once({tagged(tag), tag.condition}, found);
  if (looks_into_names_ || named != named_.end()) {
    const std::size_t condition =
        looks_into_names_ ? *looks_into_names_ : named->second.front().condition;
    for (std::string one : {upper_local(name), with_capital(name), with_tag(name)})
      add_once({std::move(one), condition}, found);
  }
  std::vector<Spelling> spellings;
  for (Noted& one : found) {
    if (one.text == name) continue;
    // With one in the name itself what follows is no tag to everybody.
    const bool is_tagged = has_tag(one.text);
    if (is_tagged && has_tag(name)) continue;
    if (spellings.size() >= kSpellingsMax) {
      if (untried != nullptr)
        *untried = Untried{std::move(one.text), conditions_[one.condition], kTooManySpellings, {}};
      return spellings;
    }
    spellings.push_back({name, std::move(one.text), is_tagged});
  }
  if (untried != nullptr && tag_beyond_ && !has_tag(name))
    *untried = Untried{tagged(*tag_beyond_), conditions_[tag_beyond_->condition], kTooManyTags, {}};
  return spellings;
}

const Spellings& SpellingQuestions::asked_by(const schema::MtaContainer& container) {
  const auto [known, is_new] = known_.try_emplace(&container);
  if (is_new) {
    // What it gives may ask too: `if_then(...)`.
    for (const auto& arm : container.arms()) {
      known->second.note(arm.condition, arm.text);
      known->second.note(arm.result, arm.text);
    }
    known->second.note(container.otherwise(), "else");
  }
  return known->second;
}

ToldSpellings SpellingQuestions::of(const World& world, const std::vector<std::string>& names) {
  ToldSpellings told;
  std::vector<Spelling>& all = told.tried;
  const bool takes_tags = world.source.tag_delimiters.find('+') != std::string::npos;
  const auto add = [&](const schema::MtaContainer* container, std::string_view origin) {
    if (container == nullptr) return;
    const Spellings& asked = asked_by(*container);
    for (const std::string& name : names) {
      std::optional<Untried> untried;
      std::vector<Spelling> tried = asked.of(name, &untried);
      // A tag that the source does not know comes in at neither server.
      if (untried && (takes_tags || !has_tag(untried->address))) {
        if (const auto place = world.origins.find(origin); place != world.origins.end())
          untried->origin = place->second;
        told.untried.push_back(std::move(*untried));
      }
      for (Spelling& one : tried) {
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
  add(world.target.route.get(), "route expression");
  if (world.source.stalwart) add(world.source.stalwart->route.get(), "old route expression");
  return told;
}

}  // namespace plan::flow
