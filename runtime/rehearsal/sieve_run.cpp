#include "runtime/rehearsal/sieve_run.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "compiler/source/text.h"
#include "runtime/rehearsal/sieve_tokens.h"
#include "runtime/rehearsal/wildcard.h"

namespace plan::rehearsal {
namespace {

constexpr int kDepthMax = 15;
constexpr int kStepsMax = 5000;

// Thrown away as a whole when the script cannot be understood: the outcome is then the implicit
// keep.
class Machine {
 public:
  Machine(const std::vector<SieveToken>& tokens, const MessageView& message, std::size_t size,
          const SieveEnvelope& envelope)
      : tokens_(tokens), message_(message), size_(size), envelope_(envelope) {}

  SieveOutcome run() {
    const bool is_fine = block(true, 0) && !is_broken_;
    if (!is_fine) return {};
    out_.is_kept = is_kept_ || !is_cancelled_;
    return std::move(out_);
  }

 private:
  using Kind = SieveToken::Kind;
  struct Arguments {
    std::set<std::string, std::less<>> tags = {};
    std::vector<std::vector<std::string>> lists = {};  ///< strings and lists in order
    std::string part = "all";
    std::optional<std::uint64_t> number = {};
  };

  [[nodiscard]] bool at_symbol(char c) const {
    return at_ < tokens_.size() && tokens_[at_].kind == Kind::symbol && tokens_[at_].text[0] == c;
  }
  bool take_symbol(char c) {
    if (!at_symbol(c)) return false;
    ++at_;
    return true;
  }
  bool fail() {
    is_broken_ = true;
    return false;
  }

  std::optional<std::vector<std::string>> string_list() {
    std::vector<std::string> out;
    if (at_ < tokens_.size() && tokens_[at_].kind == Kind::text) {
      out.push_back(tokens_[at_++].text);
      return out;
    }
    if (!take_symbol('[')) return std::nullopt;
    while (at_ < tokens_.size() && tokens_[at_].kind == Kind::text) {
      out.push_back(tokens_[at_++].text);
      if (!take_symbol(',')) break;
    }
    if (!take_symbol(']')) return std::nullopt;
    return out;
  }

  Arguments arguments() {
    Arguments out;
    while (at_ < tokens_.size()) {
      const SieveToken& token = tokens_[at_];
      if (token.kind == Kind::tag) {
        ++at_;
        if (token.lower == ":comparator" || token.lower == ":value" || token.lower == ":count" ||
            token.lower == ":days" || token.lower == ":subject" || token.lower == ":handle" ||
            token.lower == ":from" || token.lower == ":flags") {
          if (token.lower == ":flags") {
            if (auto flags = string_list())
              out_.flags.insert(out_.flags.end(), flags->begin(), flags->end());
          } else {
            ++at_;
          }
          continue;
        }
        if (token.lower == ":localpart" || token.lower == ":domain" || token.lower == ":user" ||
            token.lower == ":detail")
          out.part = token.lower.substr(1);
        out.tags.insert(token.lower);
      } else if (token.kind == Kind::number) {
        ++at_;
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(token.lower.data(), token.lower.data() + token.lower.size(), number);
        if (end != token.lower.data() + token.lower.size()) {
          const unsigned shift = *end == 'k' ? 10U : (*end == 'm' ? 20U : (*end == 'g' ? 30U : 0U));
          number <<= shift;
        }
        out.number = number;
      } else if (token.kind == Kind::text || at_symbol('[')) {
        auto list = string_list();
        if (!list) {
          is_broken_ = true;
          return out;
        }
        out.lists.push_back(std::move(*list));
      } else {
        break;
      }
    }
    return out;
  }

  bool compare(const Arguments& how, std::string_view value,
               const std::vector<std::string>& keys) const {
    const std::string left = lower_ascii(value);
    return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      const std::string right = lower_ascii(key);
      if (how.tags.contains(":contains")) return left.find(right) != std::string::npos;
      if (how.tags.contains(":matches")) return is_wildcard_match(right, left);
      return left == right;
    });
  }

  static std::string part_of(std::string_view address, std::string_view part) {
    const std::size_t at = address.rfind('@');
    const std::string local(address.substr(0, at));
    const std::size_t plus = local.find('+');
    if (part == "domain")
      return at == std::string_view::npos ? std::string{} : std::string(address.substr(at + 1));
    if (part == "localpart") return local;
    if (part == "user") return local.substr(0, plus);
    if (part == "detail") return plus == std::string::npos ? std::string{} : local.substr(plus + 1);
    return std::string(address);
  }

  bool test(int depth) {
    if (depth > kDepthMax || ++steps_ > kStepsMax || at_ >= tokens_.size() ||
        tokens_[at_].kind != Kind::word)
      return fail();
    const std::string name = tokens_[at_++].lower;
    if (name == "true") return true;
    if (name == "false") return false;
    if (name == "not") return !test(depth + 1);
    if (name == "allof" || name == "anyof") {
      if (!take_symbol('(')) return fail();
      bool result = name == "allof";
      do {
        const bool each = test(depth + 1);
        result = name == "allof" ? result && each : result || each;
      } while (!is_broken_ && take_symbol(','));
      if (!take_symbol(')')) return fail();
      return result;
    }
    const Arguments how = arguments();
    if (name == "size") {
      if (!how.number) return fail();
      return how.tags.contains(":over") ? size_ > *how.number : size_ < *how.number;
    }
    if (name == "exists" && how.lists.size() == 1)
      return std::all_of(
          how.lists[0].begin(), how.lists[0].end(),
          [this](const std::string& field) { return message_.field(field).has_value(); });
    if (name == "hasflag" && !how.lists.empty())
      return std::any_of(
          how.lists.back().begin(), how.lists.back().end(), [this](const std::string& flag) {
            return std::find(out_.flags.begin(), out_.flags.end(), flag) != out_.flags.end();
          });
    if (how.lists.size() < 2) return fail();
    if (name == "header") {
      for (const HeaderField& field : message_.fields)
        for (const std::string& wanted : how.lists[0])
          if (equals_ignoring_case(field.name, wanted) &&
              compare(how, decode_text(field.value), how.lists[1]))
            return true;
      return false;
    }
    if (name == "address") {
      for (const HeaderField& field : message_.fields)
        for (const std::string& wanted : how.lists[0])
          if (equals_ignoring_case(field.name, wanted))
            for (const Address& address : parse_addresses(field.value))
              if (compare(how, part_of(address.email, how.part), how.lists[1])) return true;
      return false;
    }
    if (name == "envelope") {
      for (const std::string& wanted : how.lists[0])
        if (compare(how,
                    part_of(equals_ignoring_case(wanted, "from") ? envelope_.from : envelope_.to,
                            how.part),
                    how.lists[1]))
          return true;
      return false;
    }
    return fail();
  }

  // Commands up to the end of a block, executed or only passed over.
  bool block(bool is_executed, int depth) {
    if (depth > kDepthMax) return fail();
    bool is_chain_done = false;
    while (at_ < tokens_.size() && !at_symbol('}')) {
      if (is_broken_ || ++steps_ > kStepsMax || tokens_[at_].kind != Kind::word) return fail();
      const std::string name = tokens_[at_++].lower;
      const bool runs = is_executed && !is_stopped_;
      if (name == "if" || name == "elsif" || name == "else") {
        if (name == "if") is_chain_done = false;
        const bool holds = name == "else" ? true : test(depth + 1);
        if (is_broken_ || !take_symbol('{')) return fail();
        const bool taken = runs && holds && !is_chain_done;
        if (!block(taken, depth + 1) || !take_symbol('}')) return fail();
        if (holds) is_chain_done = true;
        continue;
      }
      const std::size_t flags_before = out_.flags.size();
      const Arguments given = arguments();
      if (!runs) out_.flags.resize(flags_before);
      if (is_broken_ || !take_symbol(';')) return fail();
      if (runs && !command(name, given)) return fail();
    }
    return true;
  }

  bool command(const std::string& name, const Arguments& given) {
    const auto first = [&given] {
      return given.lists.empty() || given.lists[0].empty() ? std::string{} : given.lists[0][0];
    };
    if (name == "require") return true;
    if (name == "stop") {
      is_stopped_ = true;
    } else if (name == "keep") {
      is_kept_ = true;
    } else if (name == "discard") {
      is_cancelled_ = true;
    } else if (name == "fileinto") {
      out_.folders.push_back(first());
      if (!given.tags.contains(":copy")) is_cancelled_ = true;
    } else if (name == "redirect") {
      out_.redirects.push_back(first());
      if (!given.tags.contains(":copy")) is_cancelled_ = true;
    } else if (name == "reject" || name == "ereject") {
      out_.rejection = first();
      is_cancelled_ = true;
    } else if (name == "setflag" || name == "addflag") {
      if (name == "setflag") out_.flags.clear();
      for (const std::string& flag :
           given.lists.empty() ? std::vector<std::string>{} : given.lists.back())
        out_.flags.push_back(flag);
    } else if (name == "removeflag") {
      for (const std::string& flag :
           given.lists.empty() ? std::vector<std::string>{} : given.lists.back())
        std::erase(out_.flags, flag);
    } else if (name != "vacation" && name != "notify") {
      return false;
    }
    return true;
  }

  const std::vector<SieveToken>& tokens_;
  const MessageView& message_;
  std::size_t size_;
  const SieveEnvelope& envelope_;
  SieveOutcome out_;
  std::size_t at_ = 0;
  int steps_ = 0;
  bool is_broken_ = false;
  bool is_stopped_ = false;
  bool is_kept_ = false;
  bool is_cancelled_ = false;
};

}  // namespace

SieveOutcome run_sieve(std::string_view script, const MessageView& message, std::size_t size,
                       const SieveEnvelope& envelope) {
  const SieveTokens tokens(script);
  if (tokens.is_broken()) return {};
  return Machine(tokens.all(), message, size, envelope).run();
}

}  // namespace plan::rehearsal
