#include "runtime/command/compile_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "compiler/ir/digest.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/compiled_form.h"
#include "runtime/command/program_digest.h"
#include "runtime/command/project_folder.h"

namespace plan::command {
namespace {

// magic, key and digest of the rest, a line each
constexpr std::string_view kMagic = "plan-compiled 1\n";
constexpr std::size_t kDigestSize = 64;
constexpr std::size_t kHeaderSize = kMagic.size() + 2 * (kDigestSize + 1);

/// Where the text of a source comes from when it is read back.
enum class From : std::uint8_t { plan, lock, facts, lookup, stdlib, here };

void put_number(std::string& bytes, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
}
void put_text(std::string& bytes, std::string_view text) {
  put_number(bytes, text.size());
  bytes += text;
}

/// The parts of a file, taken from its front; nothing from the first that is not there on.
class Parts {
 public:
  explicit Parts(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::uint64_t> number() {
    if (bytes_.size() < 8) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(8);
    return value;
  }
  std::optional<std::string_view> text() {
    const auto size = number();
    if (!size || *size > bytes_.size()) return std::nullopt;
    const std::string_view value = bytes_.substr(0, *size);
    bytes_.remove_prefix(*size);
    return value;
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

std::string digest_of(const std::optional<std::string>& text) {
  return text ? ir::sha256(*text).hex() : std::string("none");
}

std::string header_of(const std::string& key, std::string_view payload) {
  return std::string(kMagic) + key + "\n" + ir::sha256(payload).hex() + "\n";
}

/// A file that only we can have written; nothing when it is anything else.
std::optional<std::string> read_own_file(const std::string& path, std::size_t bytes_max) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  struct stat status = {};
  const bool is_own = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                      status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
                      status.st_size >= static_cast<off_t>(kHeaderSize) &&
                      static_cast<std::size_t>(status.st_size) <= bytes_max;
  std::string bytes(is_own ? static_cast<std::size_t>(status.st_size) : 0, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t size = read(descriptor, bytes.data() + at, bytes.size() - at);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    at += static_cast<std::size_t>(size);
  }
  close(descriptor);
  if (!is_own || at != bytes.size()) return std::nullopt;
  return bytes;
}

}  // namespace

CompileCache::CompileCache(std::string file, CompileInput& input, std::string_view schema_digest,
                           CacheBounds bounds)
    : file_(std::move(file)),
      bounds_(bounds),
      input_(input),
      read_file_(input.file_text),
      lookups_(std::make_shared<std::vector<Lookup>>()),
      now_ms_(input.now_ms) {
  const std::size_t bytes = input.plan_text.size() +
                            (input.lock_text ? input.lock_text->size() : 0) +
                            (input.facts_text ? input.facts_text->size() : 0);
  const auto program = program_digest();
  // Procedures of somebody else are not in the program's digest.
  if (bytes < bounds.bytes_from || !program || !input.stdlib.empty()) return;
  std::string inputs;
  for (const std::string_view part :
       {std::string_view(*program), std::string_view(input.plan_name),
        std::string_view(input.lock_name), std::string_view(input.facts_name), schema_digest})
    put_text(inputs, part);
  put_number(inputs, input.plan_bytes_max);
  put_number(inputs, input.mail_subjects_max);
  put_number(inputs, read_file_ ? 1 : 0);
  put_number(inputs, input.now_ms ? 1 : 0);
  plan_digest_ = ir::sha256(input.plan_text).hex();
  lock_digest_ = digest_of(input.lock_text);
  facts_digest_ = digest_of(input.facts_text);
  for (const std::string& digest : {plan_digest_, lock_digest_, facts_digest_})
    put_text(inputs, digest);
  key_ = ir::sha256(inputs).hex();
  if (!read_file_) return;
  input.file_text = [read = read_file_, lookups = lookups_](const std::string& path) {
    Result<std::string> text = read(path);
    lookups->push_back(lookup(path, text));
    return text;
  };
}

CompileCache::Lookup CompileCache::lookup(const std::string& path,
                                          const Result<std::string>& text) {
  return {path, text.has_value(), ir::sha256(text ? *text : text.error().message()).hex()};
}

std::optional<CompileResult> CompileCache::find() {
  if (key_.empty()) return std::nullopt;
  const auto bytes = read_own_file(file_, bounds_.bytes_max);
  if (!bytes) return std::nullopt;
  const std::string_view payload = std::string_view(*bytes).substr(kHeaderSize);
  if (!bytes->starts_with(header_of(key_, payload))) return std::nullopt;

  Parts parts(payload);
  const auto since = parts.number();
  const auto until = parts.number();
  if (!since || !until || !is_time_of(*since, *until)) return std::nullopt;
  std::vector<std::string> looked_up;
  for (std::uint64_t left = parts.number().value_or(0); left > 0; --left) {
    const auto path = parts.text();
    const auto is_found = parts.number();
    const auto digest = parts.text();
    if (!path || !is_found || !digest || !read_file_) return std::nullopt;
    Result<std::string> text = read_file_(std::string(*path));
    if (lookup(std::string(*path), text).digest != *digest || text.has_value() != (*is_found == 1))
      return std::nullopt;
    looked_up.push_back(text ? std::move(*text) : std::string());
  }
  auto sources = std::make_shared<SourceSet>();
  for (std::uint64_t left = parts.number().value_or(0); left > 0; --left) {
    const auto name = parts.text();
    const auto from = parts.number();
    const auto number = parts.number();
    const auto own = parts.text();
    if (!name || !from || !number || !own) return std::nullopt;
    const auto text = source_text(*from, *number, *own, looked_up);
    if (!text) return std::nullopt;
    sources->add(std::string(*name), std::string(*text));
  }
  auto compiled = read_compiled(parts.rest(), sources->size());
  if (compiled) {
    compiled->sources = std::move(sources);
    if (*until != 0) compiled->next_moment_ms = static_cast<std::int64_t>(*until);
  }
  return compiled;
}

/// Of moments the same is told from one to the next one.
bool CompileCache::is_time_of(std::uint64_t since_ms, std::uint64_t until_ms) const {
  if (!now_ms_) return true;
  const auto now_ms = static_cast<std::uint64_t>(*now_ms_);
  return since_ms <= now_ms && (until_ms == 0 || now_ms < until_ms);
}

std::optional<std::string_view> CompileCache::source_text(
    std::uint64_t from, std::size_t number, std::string_view own,
    const std::vector<std::string>& looked_up) const {
  const auto stdlib = embedded::stdlib_modules();
  const auto is_from = [&](From one) { return from == static_cast<std::uint64_t>(one); };
  if (is_from(From::plan)) return input_.plan_text;
  if (is_from(From::lock) && input_.lock_text) return *input_.lock_text;
  if (is_from(From::facts) && input_.facts_text) return *input_.facts_text;
  if (is_from(From::lookup) && number < looked_up.size()) return looked_up[number];
  if (is_from(From::stdlib) && number < stdlib.size()) return stdlib[number].text;
  if (is_from(From::here)) return own;
  return std::nullopt;
}

bool CompileCache::keep(const CompileResult& compiled) {
  if (key_.empty() || !compiled.graph || !compiled.plan || compiled.sources == nullptr)
    return false;
  // A text is known again by what it is, not by what it is called.
  std::map<std::string, std::pair<From, std::size_t>> known;
  const auto stdlib = embedded::stdlib_modules();
  for (std::size_t i = 0; i < stdlib.size(); ++i)
    known.emplace(ir::sha256(stdlib[i].text).hex(), std::pair(From::stdlib, i));
  known.emplace(plan_digest_, std::pair(From::plan, 0));
  known.emplace(lock_digest_, std::pair(From::lock, 0));
  known.emplace(facts_digest_, std::pair(From::facts, 0));
  std::string payload;
  put_number(payload, static_cast<std::uint64_t>(now_ms_.value_or(0)));
  put_number(payload, static_cast<std::uint64_t>(compiled.next_moment_ms.value_or(0)));
  put_number(payload, lookups_->size());
  for (std::size_t i = 0; i < lookups_->size(); ++i) {
    const Lookup& one = (*lookups_)[i];
    put_text(payload, one.path);
    put_number(payload, one.is_found ? 1 : 0);
    put_text(payload, one.digest);
    if (one.is_found) known.emplace(one.digest, std::pair(From::lookup, i));
  }
  const SourceSet& sources = *compiled.sources;
  put_number(payload, sources.size());
  for (std::size_t i = 1; i <= sources.size(); ++i) {
    const std::string_view text = sources.text(static_cast<FileId>(i));
    const auto found = known.find(ir::sha256(text).hex());
    const auto [from, number] =
        found == known.end() ? std::pair(From::here, std::size_t{0}) : found->second;
    put_text(payload, sources.name(static_cast<FileId>(i)));
    put_number(payload, static_cast<std::uint64_t>(from));
    put_number(payload, number);
    put_text(payload, from == From::here ? text : std::string_view());
  }
  payload += write_compiled(compiled);
  if (payload.size() + kHeaderSize > bounds_.bytes_max) return false;
  // A link, a pipe or a file with somebody's mode is not written into, and does not stay.
  unlink(file_.c_str());
  return write_text_file(file_, header_of(key_, payload) + payload, 0600).has_value();
}

}  // namespace plan::command
