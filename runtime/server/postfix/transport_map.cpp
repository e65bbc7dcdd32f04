#include "runtime/server/postfix/transport_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/server/source/source.h"
#include "runtime/step/errors.h"

namespace plan::server::postfix {
namespace {

/// Between two looks at a map that another account's change is just being written to.
constexpr std::chrono::milliseconds kSettlePause{20};
constexpr unsigned kMapMode = 0644;  // smtpd and trivial-rewrite read it without privileges

// The database is made beside and renamed over, so that a lookup finds the old or the new one and
// never half of it; the stamp comes last.
constexpr const char* kActivateScript = R"sh(set -e
conf=$1 type=$2 file=$3 suffix=$4 postmap=$5 postfix=$6 reload=$7
next=$file.plan-next
rm -f -- "$next" "$next$suffix"
cp -p -- "$file" "$next"
"$postmap" -c "$conf" "$type:$next"
if [ -n "$suffix" ]; then sync -- "$next$suffix"; mv -f -- "$next$suffix" "$file$suffix"; fi
rm -f -- "$next"
if [ "$reload" = yes ]; then
  "$postfix" -c "$conf" reload >&2
  sha256sum < "$file" | cut -d' ' -f1 > "$file.live.plan-next"
  mv -f -- "$file.live.plan-next" "$file.live"
fi
date +%s)sh";

}  // namespace

MapEntries parse_map(std::string_view text) {
  MapEntries entries;
  std::string line;
  const auto take = [&] {
    const std::string_view whole = trim(line);
    const std::size_t blank = whole.find_first_of(" \t");
    if (blank != std::string_view::npos) {
      entries.insert_or_assign(lower_ascii(whole.substr(0, blank)),
                               std::string(trim(whole.substr(blank))));
    }
    line.clear();
  };
  for (std::string_view piece : split(text, '\n')) {
    if (!piece.empty() && piece.back() == '\r') piece.remove_suffix(1);
    const std::string_view words = trim(piece);
    if (words.empty() || words.front() == '#')
      continue;  // also between a line and what continues it
    if (piece.front() == ' ' || piece.front() == '\t') {
      if (!line.empty()) line.append(" ").append(words);
      continue;
    }
    take();
    line = words;
  }
  take();
  return entries;
}

std::string map_text(const MapEntries& entries) {
  std::string text = "# Written by plan; changes by hand are lost.\n";
  for (const auto& [key, value] : entries) text += key + "\t" + value + "\n";
  return text;
}

bool is_map_key(std::string_view key) {
  return !key.empty() && key.size() <= 512 && key.front() != '#' && key.front() != '"' &&
         std::none_of(key.begin(), key.end(), [](char byte) {
           return static_cast<unsigned char>(byte) <= 0x20 || byte == 0x7f;
         });
}

std::string_view map_suffix(std::string_view type) {
  if (type == "hash" || type == "btree") return ".db";
  if (type == "lmdb") return ".lmdb";
  if (type == "cdb") return ".cdb";
  return "";
}

TransportMap::TransportMap(source::Source& source, std::string path)
    : source_(source),
      path_(std::move(path)),
      writes_([this](std::vector<Request*>& requests) { return write(requests); },
              source::kReloadApart, source.clock(),
              [this](const std::vector<Request*>& ready) { return pick(ready); }) {}

std::vector<TransportMap::Request*> TransportMap::pick(const std::vector<Request*>& ready) {
  const auto now = source_.clock().now();
  std::vector<Request*> picked;
  std::vector<Request*> patient;
  for (Request* request : ready) {
    const bool waits = request->change->is_patient && now - request->since < source::kPatience;
    (waits ? patient : picked).push_back(request);
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(expected_, [&](const auto& one) { return now - one.second > source::kExpectTime; });
  if (!patient.empty() && (!picked.empty() || expected_.empty())) {
    picked.push_back(*std::min_element(
        patient.begin(), patient.end(),
        [](const Request* left, const Request* right) { return left->since < right->since; }));
  }
  for (const Request* request : picked) {
    if (request->change->is_patient) expected_.insert_or_assign(request->change->key, now);
  }
  return picked;
}

Result<TransportMap::State> TransportMap::look() {
  const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
  State state;
  PLAN_TRY(exists, source_.host(source::Place::postfix).exists(path_, deadline));
  if (!exists) return state;
  state.exists = true;
  PLAN_TRY(text,
           source_.host(source::Place::postfix).read_file(path_, source::kMapBytesMax, deadline));
  state.entries = parse_map(text);
  PLAN_TRY(has_stamp, source_.host(source::Place::postfix).exists(path_ + ".live", deadline));
  if (has_stamp) {
    PLAN_TRY(stamp,
             source_.host(source::Place::postfix).read_file(path_ + ".live", 1000, deadline));
    state.is_live = trim(stamp) == ir::sha256(text).hex();
  }
  return state;
}

Result<TransportMap::State> TransportMap::look_settled(net::Deadline until) {
  while (true) {
    PLAN_TRY(state, look());
    if (state.is_live || !state.exists || until.is_over()) return std::move(state);
    source_.clock().sleep_for(kSettlePause);
  }
}

Result<std::string> TransportMap::type() {
  {
    const std::lock_guard lock(mutex_);
    if (type_) return *type_;
  }
  PLAN_TRY(name, source_.postconf("default_database_type"));
  if (map_suffix(name).empty()) {
    return Error(source::errors::source_version_unknown,
                 fmt::format(
                     "default_database_type of the source is `{}`, not hash, btree, lmdb or cdb",
                     printable(name)))
        .with_blame(Blame::source);
  }
  const std::lock_guard lock(mutex_);
  type_ = name;
  return name;
}

Result<std::string> TransportMap::reference() {
  PLAN_TRY(name, type());
  return fmt::format("{}:{}", name, path_);
}

Result<std::string> TransportMap::query(const std::string& key) {
  PLAN_TRY(map, reference());
  PLAN_TRY(result, source_.host(source::Place::postfix)
                       .run(source_.postfix("postmap", {"-q", key, map}),
                            net::Deadline::after(source::kCommandTime)));
  if (result.exit_code != 0 && !trim(result.errors).empty()) {
    return Error(source::errors::source_command_failed, fmt::format("postmap cannot read {}", map))
        .with_blame(Blame::source)
        .with_detail(result.errors);
  }
  return std::string(trim(result.output));
}

Result<std::int64_t> TransportMap::activate(bool is_reload) {
  PLAN_TRY(name, type());
  PLAN_TRY(text, source_.run(
                     source::Place::postfix,
                     {"sh", "-c", kActivateScript, "sh", source_.block().postfix_directory, name,
                      path_, std::string(map_suffix(name)), source_.postfix("postmap", {}).front(),
                      source_.postfix("postfix", {}).front(), is_reload ? "yes" : "no"}));
  return source::read_seconds(text);
}

Outcome TransportMap::create() {
  const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
  PLAN_TRY(exists, source_.host(source::Place::postfix).exists(path_, deadline));
  if (!exists)
    PLAN_TRY_VOID(
        source_.host(source::Place::postfix).replace_file(path_, map_text({}), kMapMode, deadline));
  PLAN_TRY_VOID(activate(false));
  return {};
}

Result<std::int64_t> TransportMap::change(const Change& change) {
  if (!is_map_key(change.key) ||
      (change.value && change.value->find_first_of("\r\n") != std::string::npos)) {
    return Error(source::errors::not_a_map_key,
                 fmt::format("`{}` cannot stand in {}", printable(change.key), path_))
        .with_blame(Blame::source);
  }
  Request request{.change = &change, .since = source_.clock().now()};
  {
    const std::lock_guard lock(mutex_);
    expected_.erase(change.key);
  }
  PLAN_TRY_VOID(writes_.submit(request).while_doing(
      fmt::format("changing {} on {}", path_, source_.host(source::Place::postfix).name())));
  if (request.refusal) return *request.refusal;
  return request.live_seconds;
}

Outcome TransportMap::write(std::vector<Request*>& requests) {
  PLAN_TRY(state, look());
  const MapEntries before = state.entries;
  for (Request* request : requests) {
    const Change& change = *request->change;
    const auto found = state.entries.find(change.key);
    const std::optional<std::string> now =
        found == state.entries.end() ? std::nullopt : std::optional<std::string>(found->second);
    if (now == change.value) continue;
    if (change.only_over && std::find(change.only_over->begin(), change.only_over->end(), now) ==
                                change.only_over->end()) {
      request->refusal = Error(step::errors::changed_since,
                               fmt::format("the entry of {} in {} is `{}` now", change.key, path_,
                                           now ? printable(*now) : "none"))
                             .with_blame(Blame::source);
      continue;
    }
    if (change.value) {
      state.entries.insert_or_assign(change.key, *change.value);
    } else {
      state.entries.erase(change.key);
    }
  }
  std::int64_t seconds = 0;
  if (state.entries == before && state.is_live) {
    PLAN_TRY(now, source_.seconds());
    seconds = now;
  } else {
    if (state.entries != before || !state.exists) {
      PLAN_TRY_VOID(source_.host(source::Place::postfix)
                        .replace_file(path_, map_text(state.entries), kMapMode,
                                      net::Deadline::after(source::kCommandTime)));
    }
    PLAN_TRY(now, activate(true));
    seconds = now;
  }
  for (Request* request : requests) request->live_seconds = seconds;
  return {};
}

}  // namespace plan::server::postfix
