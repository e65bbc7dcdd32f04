#include "compiler/source/secret_mask.h"

#include <algorithm>

#include "compiler/source/secret_finder.h"
#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::string_view kMask = "********";
constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kNameMax = 40;
// A shorter secret would be found in words that have nothing to do with it.
constexpr std::size_t kShortestReplaced = 4;
constexpr std::size_t kSecretsOfDiagnosticMax = 200;
constexpr std::size_t kPrefixSought = 24;

bool is_letter(char c) { return is_word(c) && c != '@'; }

/// Also what a message shows of a secret that was too long for it.
void replace(std::string& text, const std::string& secret) {
  const std::string_view sought = std::string_view(secret).substr(0, kPrefixSought);
  std::size_t at = text.find(sought);
  while (at != std::string::npos) {
    std::size_t size = sought.size();
    while (size < secret.size() && at + size < text.size() && text[at + size] == secret[size])
      ++size;
    const std::size_t end = at + size;
    const bool is_part = size == secret.size() && size < kPrefixSought &&
                         ((at > 0 && is_letter(text[at - 1]) && is_letter(secret.front())) ||
                          (end < text.size() && is_letter(text[end]) && is_letter(secret.back())));
    if (!is_part) text.replace(at, size, kMask);
    at = text.find(sought, at + (is_part ? 1 : kMask.size()));
  }
}

/// The same in what the text quotes: `...`. Elsewhere a part of a secret may be any word.
void replace_quoted(std::string& text, const std::string& part) {
  std::size_t open = text.find('`');
  while (open != std::string::npos) {
    const std::size_t close = text.find('`', open + 1);
    if (close == std::string::npos) return;
    std::string quoted = text.substr(open + 1, close - open - 1);
    replace(quoted, part);
    text.replace(open + 1, close - open - 1, quoted);
    open = text.find('`', open + quoted.size() + 2);
  }
}

bool is_worth_replacing(std::string_view secret) {
  if (secret.size() < kShortestReplaced || is_scalar_secret_name(secret)) return false;
  const std::string plain = plain_name(secret.substr(0, kNameMax));
  return !is_ending_of_secret(plain) && !is_near_name(plain, "secret");
}

bool is_between_words(char c) { return std::string_view(" \t\r\n,;:=\"'`(){}[]").find(c) != kNone; }
bool is_outside_names(char c) { return !is_word(c) || c == '-' || c == '@'; }

/// What of `secret` stands between the characters of which `is_between` says so.
void collect_parts(std::string_view secret, bool (*is_between)(char),
                   std::vector<std::string>& parts) {
  std::size_t at = 0;
  while (at < secret.size() && parts.size() < kSecretsOfDiagnosticMax) {
    while (at < secret.size() && is_between(secret[at])) ++at;
    const std::size_t begin = at;
    while (at < secret.size() && !is_between(secret[at])) ++at;
    const std::string_view part = secret.substr(begin, at - begin);
    if (part.size() < secret.size() && is_worth_replacing(part)) parts.emplace_back(part);
  }
}

}  // namespace

SecretMask::SecretMask(const SourceSet& sources, const std::vector<Diagnostic>& diagnostics)
    : sources_(sources) {
  // What is said of a step of a module stands at its name, and not at the secret.
  const auto is_of_step = [&](const Diagnostic& one) {
    return !sources.name(one.span.file).ends_with(".ndjson") &&
           std::any_of(one.arguments.begin(), one.arguments.end(),
                       [](const auto& argument) { return argument.first == "step"; });
  };
  for (const Diagnostic& one : diagnostics) {
    if (one.kind == Kind::secret_in_clear && one.span.is_known() && !is_of_step(one))
      told_[one.span.file].push_back({one.span.begin, one.span.end});
  }
}

const std::vector<SecretPlace>& SecretMask::places(FileId file) {
  const auto known = places_.find(file);
  if (known != places_.end()) return known->second;
  std::vector<SecretPlace> found =
      secret_places(sources_.text(file), sources_.name(file).ends_with(".plan"));
  std::vector<SecretPlace> more;
  for (const SecretPlace& told : told_[file]) {
    // Of a larger place only the secret in it, where it was found.
    const auto behind = std::lower_bound(
        found.begin(), found.end(), told.begin,
        [](const SecretPlace& place, std::uint32_t at) { return place.end <= at; });
    if ((behind == found.end() || behind->begin >= told.end) && told.begin < told.end)
      more.push_back(told);
  }
  found.insert(found.end(), more.begin(), more.end());
  std::sort(found.begin(), found.end(),
            [](const SecretPlace& a, const SecretPlace& b) { return a.begin < b.begin; });
  return places_.emplace(file, std::move(found)).first->second;
}

std::string SecretMask::text(FileId file, std::uint32_t begin, std::uint32_t end) {
  const std::string_view whole = sources_.text(file);
  end = static_cast<std::uint32_t>(std::min<std::size_t>(end, whole.size()));
  const std::vector<SecretPlace>& all = places(file);
  auto place =
      std::lower_bound(all.begin(), all.end(), begin,
                       [](const SecretPlace& one, std::uint32_t at) { return one.end <= at; });
  std::string out;
  while (begin < end) {
    if (place == all.end() || place->begin >= end) {
      out += whole.substr(begin, end - begin);
      break;
    }
    if (place->begin > begin) out += whole.substr(begin, place->begin - begin);
    out += kMask;
    begin = std::max(begin, place->end);
    ++place;
  }
  return out;
}

Span SecretMask::with_whole_secrets(Span span) {
  for (const std::uint32_t at : {span.begin, span.end}) {
    const std::vector<SecretPlace>& all = places(span.file);
    const auto place =
        std::lower_bound(all.begin(), all.end(), at,
                         [](const SecretPlace& one, std::uint32_t of) { return one.end <= of; });
    if (place == all.end() || place->begin >= at) continue;
    span.begin = std::min(span.begin, place->begin);
    span.end = std::max(span.end, place->end);
  }
  return span;
}

void SecretMask::collect(Span span, Secrets& secrets) {
  if (!span.is_known()) return;
  const std::string_view whole = sources_.text(span.file);
  std::uint32_t begin = 0;
  std::uint32_t last = 0;
  (void)sources_.line_at(span.file, span.begin, &begin);
  const std::string_view line = sources_.line_at(span.file, std::max(span.begin, span.end), &last);
  const std::size_t end = last + line.size();
  const std::vector<SecretPlace>& all = places(span.file);
  auto place =
      std::lower_bound(all.begin(), all.end(), begin,
                       [](const SecretPlace& one, std::uint32_t at) { return one.end <= at; });
  for (; place != all.end() && place->begin < end; ++place) {
    if (secrets.whole.size() >= kSecretsOfDiagnosticMax) return;
    const std::string_view secret = whole.substr(place->begin, place->end - place->begin);
    if (!is_worth_replacing(secret)) continue;
    secrets.whole.emplace_back(secret);
    collect_parts(secret, is_between_words, secrets.parts);
    collect_parts(secret, is_outside_names, secrets.parts);
  }
}

Diagnostic SecretMask::masked(Diagnostic diagnostic) {
  Secrets secrets;
  collect(diagnostic.span, secrets);
  for (const Label& note : diagnostic.notes) collect(note.span, secrets);
  for (const std::string& secret : secrets.whole) {
    replace(diagnostic.message, secret);
    replace(diagnostic.label, secret);
    for (Label& note : diagnostic.notes) replace(note.text, secret);
    for (std::string& help : diagnostic.help) replace(help, secret);
    for (auto& [name, argument] : diagnostic.arguments) replace(argument, secret);
  }
  for (const std::string& part : secrets.parts) {
    replace_quoted(diagnostic.message, part);
    replace_quoted(diagnostic.label, part);
    for (Label& note : diagnostic.notes) replace_quoted(note.text, part);
    for (auto& [name, argument] : diagnostic.arguments) replace(argument, part);
  }
  return diagnostic;
}

}  // namespace plan
