#include "runtime/command/compiled_form.h"

#include <cstring>
#include <unordered_map>

#include "compiler/source/check.h"

namespace plan::command {
namespace {

using ir::StepGraph;
using ir::StepId;
using ir::Value;

constexpr std::size_t kDepthMax = 80;  // of values; JSON and YAML are read to 64

class Writer {
 public:
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_ += static_cast<char>(value | 0x80U);
      value >>= 7U;
    }
    bytes_ += static_cast<char>(value);
  }
  void signed_number(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1U ^ static_cast<std::uint64_t>(value >> 63U));
  }
  void flag(bool value) { number(value ? 1 : 0); }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const std::string& value : values) text(value);
  }
  /// A text that comes again and again: written once, then by its number.
  void name(std::string_view value) {
    const auto [entry, is_new] = names_.emplace(std::string(value), names_.size() + 1);
    number(is_new ? 0 : entry->second);
    if (is_new) text(value);
  }
  void span(Span value) {
    number(static_cast<std::uint32_t>(value.file));
    number(value.begin);
    number(value.end);
  }
  void value(const Value& value) {
    number(static_cast<std::uint64_t>(value.type()));
    switch (value.type()) {
      case Value::Type::null:
        return;
      case Value::Type::boolean:
        return flag(value.bool_or(false));
      case Value::Type::integer:
        return signed_number(value.as_integer());
      case Value::Type::number: {
        std::uint64_t bits = 0;
        const double number_value = value.number_or(0);
        std::memcpy(&bits, &number_value, sizeof bits);
        return number(bits);
      }
      case Value::Type::string:
        return text(value.as_string());
      case Value::Type::list:
        number(value.size());
        for (const Value& item : value.items()) this->value(item);
        return;
      case Value::Type::map:
        number(value.size());
        for (const auto& [key, member] : value.members()) {
          name(key);
          this->value(member);
        }
        return;
      case Value::Type::secret:
        name(value.as_secret().provider);
        return text(value.as_secret().name);
      case Value::Type::output:
        text(value.as_output().step);
        return text(value.as_output().field);
    }
  }
  void diagnostic(const Diagnostic& one) {
    number(static_cast<std::uint64_t>(one.kind));
    number(static_cast<std::uint64_t>(one.severity));
    span(one.span);
    text(one.message);
    text(one.label);
    number(one.notes.size());
    for (const Label& note : one.notes) {
      span(note.span);
      text(note.text);
    }
    texts(one.help);
    number(one.arguments.size());
    for (const auto& [key, argument] : one.arguments) {
      text(key);
      text(argument);
    }
  }
  void mail(const flow::MailFacts& facts) {
    text(facts.tag_delimiters);
    number(facts.catch_alls.size());
    for (const auto& [domain, members] : facts.catch_alls) {
      text(domain);
      texts(members);
    }
    texts(facts.target_sets);
    texts(facts.hosts);
    flag(facts.is_schema_known);
  }
  void summary(const PlanSummary& plan) {
    for (const std::string* one : {&plan.name, &plan.procedure, &plan.public_name,
                                   &plan.proxy_address, &plan.source_address, &plan.target_address})
      text(*one);
    texts(plan.domains);
    number(plan.account_count);
    number(plan.list_count);
    number(plan.waves.size());
    for (const PlanSummary::Wave& wave : plan.waves) {
      text(wave.name);
      number(wave.account_count);
      number(wave.parallel);
      flag(wave.is_held_for_approval);
    }
    texts(plan.rollback_points);
    flag(plan.is_each_account_a_point);
    texts(plan.dump_folders);
    mail(plan.mail);
    value(plan.connections);
  }
  void graph(const StepGraph& graph) {
    number(graph.shapes().size());
    for (const ir::StepShape& shape : graph.shapes()) {
      number(static_cast<std::uint64_t>(shape.kind));
      number(static_cast<std::uint64_t>(shape.stage));
      number(static_cast<std::uint64_t>(shape.role));
      text(shape.id_pattern);
      value(shape.arguments);
      span(shape.origin);
    }
    number(graph.row_count());
    for (std::size_t i = 1; i <= graph.row_count(); ++i) {
      const auto row = static_cast<ir::RowId>(i);
      text(graph.row_name(row));
      value(graph.row_members(row));
      span(graph.row_origin(row));
    }
    number(graph.waves().size());
    for (const ir::WaveInfo& wave : graph.waves()) {
      text(wave.name);
      number(wave.parallel);
      flag(wave.is_held_for_approval);
      number(wave.stop_after_failed);
      number(wave.stop_failed_permille);
      number(wave.stop_hold_ms);
      number(wave.client_bytes_per_s);
      number(wave.client_within_ms);
      span(wave.origin);
    }
    number(graph.size());
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const auto step = static_cast<StepId>(i);
      number(static_cast<std::uint64_t>(&graph.shape(step) - graph.shapes().data()));
      number(static_cast<std::uint64_t>(graph.row(step)));
      number(static_cast<std::uint64_t>(graph.wave(step)));
    }
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const auto step = static_cast<StepId>(i);
      number(graph.after(step).size());
      for (const StepId earlier : graph.after(step)) {
        flag(graph.is_soft(earlier, step));
        signed_number(static_cast<std::int64_t>(i) - static_cast<std::int64_t>(ir::index(earlier)));
      }
    }
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::unordered_map<std::string, std::size_t> names_;
};

/// The first thing that is not as Writer writes it makes every later answer empty and `is_good`
/// false.
class Reader {
 public:
  Reader(std::string_view bytes, std::size_t source_count)
      : bytes_(bytes), source_count_(source_count) {}

  [[nodiscard]] bool is_good() const { return is_good_; }
  [[nodiscard]] bool is_at_end() const { return is_good_ && at_ == bytes_.size(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return fail();
      const auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  /// A number below `bound`.
  std::uint64_t number_below(std::uint64_t bound) {
    const std::uint64_t value = number();
    return value < bound ? value : fail();
  }
  /// Of things that take a byte each at least.
  std::size_t count() {
    const std::uint64_t value = number();
    return value <= bytes_.size() - at_ ? value : fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
  }
  std::uint32_t number_32() {
    return static_cast<std::uint32_t>(number_below(std::uint64_t{1} << 32U));
  }
  bool flag() { return number_below(2) == 1; }
  std::string_view text() {
    const std::size_t size = count();
    const std::string_view value = bytes_.substr(at_, size);
    at_ += size;
    return value;
  }
  std::string string() { return std::string(text()); }
  std::vector<std::string> texts() {
    std::vector<std::string> values;
    for (std::size_t left = count(); left > 0 && is_good_; --left) values.push_back(string());
    return values;
  }
  std::string_view name() {
    const std::uint64_t known = number_below(names_.size() + 1);
    if (known != 0) return names_[known - 1];
    if (!is_good_) return {};
    names_.push_back(text());
    return names_.back();
  }
  Span span() {
    Span value;
    value.file = static_cast<FileId>(number_below(source_count_ + 1));
    value.begin = number_32();
    value.end = number_32();
    return value;
  }
  Value value(std::size_t depth = 0) {
    const auto type =
        static_cast<Value::Type>(number_below(static_cast<std::uint64_t>(Value::Type::output) + 1));
    if (depth > kDepthMax) fail();
    if (!is_good_) return {};
    switch (type) {
      case Value::Type::null:
        return {};
      case Value::Type::boolean:
        return flag();
      case Value::Type::integer:
        return signed_number();
      case Value::Type::number: {
        const std::uint64_t bits = number();
        double read = 0;
        std::memcpy(&read, &bits, sizeof read);
        return read;
      }
      case Value::Type::string:
        return string();
      case Value::Type::list: {
        const std::size_t size = count();
        ir::List items;
        items.reserve(std::min<std::size_t>(size, 1024));
        for (std::size_t i = 0; i < size && is_good_; ++i) items.push_back(value(depth + 1));
        return items;
      }
      case Value::Type::map: {
        const std::size_t size = count();
        ir::Map map;
        map.reserve(std::min<std::size_t>(size, 1024));
        for (std::size_t i = 0; i < size && is_good_; ++i) {
          std::string key(name());
          map.set(std::move(key), value(depth + 1));
        }
        return map;
      }
      case Value::Type::secret: {
        std::string provider(name());
        return ir::SecretRef{std::move(provider), string()};
      }
      case Value::Type::output: {
        std::string step = string();
        return ir::OutputRef{std::move(step), string()};
      }
    }
    return {};
  }
  Diagnostic diagnostic() {
    Diagnostic one;
    one.kind = static_cast<Kind>(number_below(all_kinds().size()));
    one.severity =
        static_cast<Severity>(number_below(static_cast<std::uint64_t>(Severity::error) + 1));
    one.span = span();
    one.message = string();
    one.label = string();
    for (std::size_t left = count(); left > 0 && is_good_; --left) {
      const Span place = span();
      one.notes.push_back({place, string()});
    }
    one.help = texts();
    for (std::size_t left = count(); left > 0 && is_good_; --left) {
      std::string key = string();
      one.arguments.emplace_back(std::move(key), string());
    }
    return one;
  }
  flow::MailFacts mail() {
    flow::MailFacts facts;
    facts.tag_delimiters = string();
    for (std::size_t left = count(); left > 0 && is_good_; --left) {
      std::string domain = string();
      facts.catch_alls[std::move(domain)] = texts();
    }
    facts.target_sets = texts();
    facts.hosts = texts();
    facts.is_schema_known = flag();
    return facts;
  }
  PlanSummary summary() {
    PlanSummary plan;
    for (std::string* one : {&plan.name, &plan.procedure, &plan.public_name, &plan.proxy_address,
                             &plan.source_address, &plan.target_address})
      *one = string();
    plan.domains = texts();
    plan.account_count = number();
    plan.list_count = number();
    for (std::size_t left = count(); left > 0 && is_good_; --left) {
      PlanSummary::Wave wave;
      wave.name = string();
      wave.account_count = number();
      wave.parallel = number_32();
      wave.is_held_for_approval = flag();
      plan.waves.push_back(std::move(wave));
    }
    plan.rollback_points = texts();
    plan.is_each_account_a_point = flag();
    plan.dump_folders = texts();
    plan.mail = mail();
    plan.connections = value();
    return plan;
  }
  std::optional<StepGraph> graph() {
    StepGraph graph;
    for (std::size_t left = count(); left > 0 && is_good_; --left) {
      ir::StepShape shape;
      shape.kind = static_cast<ir::StepKind>(number_below(ir::all_step_kinds().size()));
      shape.stage =
          static_cast<ir::Stage>(number_below(static_cast<std::uint64_t>(ir::Stage::finalize) + 1));
      shape.role = static_cast<ir::TransactionRole>(
          number_below(static_cast<std::uint64_t>(ir::TransactionRole::commit) + 1));
      shape.id_pattern = string();
      shape.arguments = value();
      shape.origin = span();
      graph.add_shape(std::move(shape));
    }
    const std::size_t rows = count();
    for (std::size_t i = 0; i < rows && is_good_; ++i) {
      std::string row = string();
      Value members = value();
      graph.add_row(std::move(row), std::move(members), span());
    }
    const std::size_t waves = count();
    if (waves > UINT16_MAX) fail();
    for (std::size_t i = 0; i < waves && is_good_; ++i) {
      ir::WaveInfo wave;
      wave.name = string();
      wave.parallel = number_32();
      wave.is_held_for_approval = flag();
      wave.stop_after_failed = number_32();
      wave.stop_failed_permille = number_32();
      wave.stop_hold_ms = number();
      wave.client_bytes_per_s = number();
      wave.client_within_ms = number();
      wave.origin = span();
      graph.add_wave(std::move(wave));
    }
    const std::size_t steps = count();
    for (std::size_t i = 0; i < steps && is_good_; ++i) {
      const auto shape = static_cast<std::uint32_t>(number_below(graph.shapes().size()));
      const auto row = static_cast<ir::RowId>(number_below(rows + 1));
      const auto wave = static_cast<ir::WaveId>(number_below(waves + 1));
      if (is_good_) graph.add_step(shape, row, wave);
    }
    for (std::size_t i = 0; i < steps && is_good_; ++i) {
      for (std::size_t left = count(); left > 0 && is_good_; --left) {
        const bool is_soft = flag();
        const std::int64_t distance = signed_number();
        const auto here = static_cast<std::int64_t>(i);
        if (distance > here || distance <= here - static_cast<std::int64_t>(steps)) fail();
        if (!is_good_) break;
        const auto earlier = static_cast<StepId>(here - distance);
        if (is_soft)
          graph.add_soft_edge(earlier, static_cast<StepId>(i));
        else
          graph.add_edge(earlier, static_cast<StepId>(i));
      }
    }
    if (!is_good_ || graph.freeze()) {
      fail();
      return std::nullopt;
    }
    return graph;
  }

  std::uint64_t fail() {
    is_good_ = false;
    return 0;
  }

 private:
  std::string_view bytes_;
  std::size_t source_count_;
  std::size_t at_ = 0;
  bool is_good_ = true;
  std::vector<std::string_view> names_;
};

}  // namespace

std::string write_compiled(const CompileResult& compiled) {
  PLAN_CHECK(compiled.graph && compiled.plan, "only a compilation that gave a graph is kept");
  Writer writer;
  writer.summary(*compiled.plan);
  writer.number(compiled.diagnostics.size());
  for (const Diagnostic& one : compiled.diagnostics) writer.diagnostic(one);
  writer.number(compiled.silenced.size());
  for (const SilencedFinding& one : compiled.silenced) {
    writer.diagnostic(one.diagnostic);
    writer.text(one.reason);
    writer.span(one.span);
  }
  writer.graph(*compiled.graph);
  return writer.take();
}

std::optional<CompileResult> read_compiled(std::string_view bytes, std::size_t source_count) {
  Reader reader(bytes, source_count);
  CompileResult compiled;
  compiled.plan = reader.summary();
  for (std::size_t left = reader.count(); left > 0 && reader.is_good(); --left)
    compiled.diagnostics.push_back(reader.diagnostic());
  for (std::size_t left = reader.count(); left > 0 && reader.is_good(); --left) {
    SilencedFinding one;
    one.diagnostic = reader.diagnostic();
    one.reason = reader.string();
    one.span = reader.span();
    compiled.silenced.push_back(std::move(one));
  }
  compiled.graph = reader.graph();
  if (!reader.is_at_end() || compiled.has_errors()) return std::nullopt;
  return compiled;
}

}  // namespace plan::command
