#include "compiler/facts/measurement.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/facts/digest_key.h"
#include "compiler/facts/limits.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::facts {

void Measurements::reserve(std::size_t count) {
  all_.reserve(all_.size() + count);
  by_name_.reserve(all_.size() + count);
}

void Measurements::add(Measurement measurement) {
  const auto is_name = [&](std::uint32_t other) { return all_[other].what == measurement.what; };
  const auto known =
      by_name_.insert(measurement.what, static_cast<std::uint32_t>(all_.size()), is_name);
  if (known)
    all_[*known] = std::move(measurement);
  else
    all_.push_back(std::move(measurement));
}

const Measurement* Measurements::find(std::string_view what) const {
  const auto found =
      by_name_.find(what, [&](std::uint32_t other) { return all_[other].what == what; });
  return found ? &all_[*found] : nullptr;
}

std::optional<std::uint64_t> Measurements::count(std::string_view what) const {
  const Measurement* measurement = find(what);
  if (measurement == nullptr || !measurement->value.is_integer()) return std::nullopt;
  const std::int64_t value = measurement->value.as_integer();
  return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
}

std::optional<Measurement> measurement_from(const ir::Value& document) {
  if (!document["what"].is_string()) return std::nullopt;
  Measurement measurement;
  measurement.what = document["what"].as_string();
  measurement.value = document["value"];
  // Bytes, messages, a disk: nothing that is measured is below nothing.
  if (measurement.value.is_number() && measurement.value.number_or(0) < 0) return std::nullopt;
  measurement.unit = document["unit"].string_or("");
  measurement.when = document["when"].string_or("");
  measurement.how = document["how"].string_or("");
  return measurement;
}

Measurements read_measurements(const SourceSet& sources, FileId file, Sink& sink) {
  Measurements measurements;
  const std::string_view text = sources.text(file);
  if (text.size() > kFactsBytesMax) {
    sink.report(Kind::facts_syntax, Span{file, 0, 0},
                fmt::format("measurements have {}, at most {} are read", show_bytes(text.size()),
                            show_bytes(kFactsBytesMax)))
        .help("remove the file and run `plan fetch` again");
    return measurements;
  }
  // Lines that say nothing cost no memory: a measurement has forty bytes at least.
  measurements.reserve(std::min<std::size_t>(
      static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), text.size() / 40));
  std::size_t at = 0;
  std::size_t problems = 0;
  Span last_problem;
  while (at < text.size()) {
    const std::size_t found = text.find('\n', at);
    const std::size_t end = found == std::string_view::npos ? text.size() : found;
    const std::string_view line = text.substr(at, end - at);
    const Span span{file, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
    at = end + 1;
    if (trim(line).empty()) continue;
    auto document = ir::parse_json(line, {kFactsLineBytesMax, 8});
    auto measurement = document ? measurement_from(*document) : std::nullopt;
    if (!measurement) {
      last_problem = span;
      if (++problems > kFactsProblemsMax) continue;
      sink.report(Kind::facts_syntax, span, "this line is no measurement")
          .help("remove the file and run `plan fetch` again");
      continue;
    }
    measurement->span = span;
    measurements.add(std::move(*measurement));
  }
  if (problems > kFactsProblemsMax)
    sink.report(Kind::facts_syntax, last_problem,
                fmt::format("of {} lines that are no measurements this is the last",
                            show_count(problems)))
        .help("remove the file and run `plan fetch` again");
  return measurements;
}

std::string write_measurement(const Measurement& measurement) {
  return ir::write_json(ir::Value::map({{"what", measurement.what},
                                        {"value", measurement.value},
                                        {"unit", measurement.unit},
                                        {"how", measurement.how},
                                        {"when", measurement.when}})) +
         "\n";
}

bool is_other_digest_key(const Measurements& before, const Measurements& now) {
  const Measurement* then = before.find(kDigestKey);
  const Measurement* today = now.find(kDigestKey);
  return then != nullptr && today != nullptr && then->value != today->value;
}

std::vector<std::string> changed_passwords(const Measurements& before, const Measurements& now) {
  constexpr std::string_view kBegin = "account/";
  constexpr std::string_view kEnd = "/hash-digest";
  std::vector<std::string> accounts;
  if (is_other_digest_key(before, now)) return accounts;
  for (const Measurement& measurement : now.all()) {
    const std::string_view what = measurement.what;
    if (!what.starts_with(kBegin) || !what.ends_with(kEnd) ||
        what.size() <= kBegin.size() + kEnd.size())
      continue;
    const Measurement* earlier = before.find(what);
    if (earlier == nullptr || !earlier->value.is_string() || !measurement.value.is_string() ||
        earlier->value == measurement.value || now.find(what) != &measurement)
      continue;
    accounts.emplace_back(what.substr(kBegin.size(), what.size() - kBegin.size() - kEnd.size()));
  }
  std::sort(accounts.begin(), accounts.end());
  return accounts;
}

}  // namespace plan::facts
