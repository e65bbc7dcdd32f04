#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/source_set.h"

namespace plan {

enum class Severity : std::uint8_t { note = 0, warning = 1, error = 2 };
[[nodiscard]] std::string_view to_string(Severity severity);

/// Every diagnostic of the compiler is registered once, in compiler/source/kinds.def.
enum class Kind : std::uint16_t {
#define PLAN_DIAGNOSTIC(identifier, name, severity, summary) identifier,
#include "compiler/source/kinds.def"
#undef PLAN_DIAGNOSTIC
};

struct KindInfo {
  Kind kind = {};
  std::string_view name = {};  ///< kebab-case code, for ever
  Severity severity = Severity::error;
  std::string_view summary = {};
};

[[nodiscard]] const KindInfo& info(Kind kind);
[[nodiscard]] const std::vector<KindInfo>& all_kinds();

/// Words for a second place.
struct Label {
  Span span = {};
  std::string text = {};
};

/// What is wrong with a plan, lock or schema, for its author: data, rendered by render_*.h.
struct Diagnostic {
  Kind kind = {};
  Severity severity = Severity::error;
  Span span = {};
  std::string message =
      {};  ///< lower case, no full stop, code in backticks; what is, with numbers and units
  std::string label = {};  ///< words under the caret
  std::vector<Label> notes = {};
  std::vector<std::string> help = {};                               ///< actions that can be copied
  std::vector<std::pair<std::string, std::string>> arguments = {};  ///< typed facts for programs
};

/// Instead of those of one code that a sink did not keep: how many they are.
inline constexpr std::string_view kLeftOut = "left_out";
/// The number behind kLeftOut; 0 for a diagnostic that stands for itself.
[[nodiscard]] std::size_t left_out_by(const Diagnostic& diagnostic);
/// In the order of a reader: by file and place; what stands for others comes last.
[[nodiscard]] bool comes_before(const Diagnostic& a, const Diagnostic& b);

/// Collects the diagnostics of one compilation; phases go on after reporting. Of one code it keeps
/// `of_code_max`: all are counted, and the last one of the code says how many were left out. Not
/// thread-safe.
class Sink {
 public:
  static constexpr std::size_t kOfCodeMax = 10'000;

  Sink() = default;
  explicit Sink(std::size_t of_code_max) : of_code_max_(of_code_max) {}

  /// Builds one report; filled in by chaining: `sink.report(kind, span, "…").label("…").note(span,
  /// "…").help("…")`.
  class Report {
   public:
    Report(Sink& sink, Diagnostic& diagnostic) : sink_(&sink), diagnostic_(&diagnostic) {}
    Report& label(std::string text) {
      diagnostic_->label = std::move(text);
      return *this;
    }
    Report& note(Span span, std::string text) {
      diagnostic_->notes.push_back({span, std::move(text)});
      return *this;
    }
    Report& help(std::string text) {
      diagnostic_->help.push_back(std::move(text));
      return *this;
    }
    Report& argument(std::string name, std::string value) {
      diagnostic_->arguments.emplace_back(std::move(name), std::move(value));
      return *this;
    }
    Report& severity(Severity severity);

   private:
    Sink* sink_;
    Diagnostic* diagnostic_;
  };

  Report report(Kind kind, Span span, std::string message);
  /// Counts so many of a code that another sink has left out.
  void leave_out(Kind kind, Severity severity, std::size_t count);

  [[nodiscard]] bool has_errors() const { return count(Severity::error) != 0; }
  [[nodiscard]] std::size_t count(Severity severity) const {
    return by_severity_[static_cast<std::size_t>(severity)];
  }
  /// In the order of a reader: by file and place, then by order of report; the same every run.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;
  [[nodiscard]] bool empty() const { return diagnostics_.empty(); }

 private:
  using BySeverity = std::array<std::size_t, 3>;
  struct OfCode {
    std::size_t kept = 0;
    BySeverity left_out = {};
  };

  std::size_t of_code_max_ = kOfCodeMax;
  std::vector<Diagnostic> diagnostics_ = {};
  Diagnostic unkept_ = {};  // the report that is being made, where it is not kept
  BySeverity by_severity_ = {};
  std::map<Kind, OfCode> by_code_ = {};
};

struct RenderOptions {
  bool has_colour = false;
  std::size_t width_columns = 120;
  std::size_t per_code_max = 20;  ///< more of one code are counted, not shown
};

/// `file:line:col: severity: message [code]`, the source line, a caret under the token
/// (style.md 3.6).
[[nodiscard]] std::string render_terminal(const std::vector<Diagnostic>& diagnostics,
                                          const SourceSet& sources, const RenderOptions& options);
/// One record per diagnostic, every field present; `{"format":1,"diagnostics":[…]}`.
[[nodiscard]] std::string render_json(const std::vector<Diagnostic>& diagnostics,
                                      const SourceSet& sources);
/// SARIF 2.1.0.
[[nodiscard]] std::string render_sarif(const std::vector<Diagnostic>& diagnostics,
                                       const SourceSet& sources);

}  // namespace plan
