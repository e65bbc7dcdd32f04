#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/lower/procedure.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/value_type.h"

namespace plan::lower {

/// An argument, or a part of one, that another step gives when it has run.
struct TakenOutput {
  std::string step = {};  ///< its id, with `{}` when it is expanded for rows
  Span span = {};
};

/// The arguments of a step as they stand in its module: those that are null were not given. Deeper
/// down null is a value of its own.
struct ReadArguments {
  ir::Value values = ir::Value::map();
  std::vector<TakenOutput> taken = {};
  /// What those that are an expression come to: a unit is no part of a value.
  std::map<std::string, syntax::ValueType> types = {};
  bool is_whole = true;     ///< false: something in them was reported
  bool is_unknown = false;  ///< all of them stand behind one name that has no value
};

/// A step that stands before the one whose arguments are read.
struct EarlierStep {
  std::optional<ir::StepKind> kind = {};  ///< nothing: nobody knows
};

/// Reads the arguments of steps, one step behind the other. What differs from row to row becomes a
/// member of the row, which it adds to the procedure.
class ArgumentReader {
 public:
  /// Reports a mistake: where, what, what to do.
  using Refuse = std::function<void(Span, std::string, std::string)>;
  /// The step of this id that was read already; nothing: there is none.
  using FindEarlier = std::function<std::optional<EarlierStep>(const std::string& id)>;

  ArgumentReader(const LowerInput& input, Procedure& procedure, Sink& sink, Refuse refuse,
                 FindEarlier find_earlier)
      : input_(input),
        procedure_(procedure),
        sink_(sink),
        refuse_(std::move(refuse)),
        find_earlier_(std::move(find_earlier)) {}

  /// Of a step of this module; `scope` and `types` are what its expressions see. The scope must
  /// outlive the procedure, which computes in it what differs from row to row.
  [[nodiscard]] ReadArguments read(const syntax::Node& arguments, const ProcedureStep& step,
                                   const ModuleInstance& module, const syntax::Scope& scope,
                                   const syntax::TypeScope& types);

 private:
  /// What an expression sees: values, and their types.
  struct Names {
    const syntax::Scope& values;
    const syntax::TypeScope& types;
  };

  void broken(Span span, std::string message, std::string help);
  ir::Value value(const syntax::Node& node, const Names& names);
  ir::Value list(const syntax::Node& node, const Names& names);
  ir::Value scalar(const syntax::Node& node, const Names& names);
  ir::Value evaluated(const syntax::Template& text, const syntax::Node& node, const Names& names);
  ir::Value output(const syntax::Node& node);
  void refuse_tag(const syntax::Tag& tag);
  ir::Value of_row(syntax::Template text, const syntax::Node& node, const Names& names);
  void add_items(const syntax::Node& item, const Names& names, ir::List& into);
  void add_rounds(const syntax::Node& loop, const ir::Value& values, const Names& names,
                  ir::List& into);
  [[nodiscard]] bool has_room(std::size_t weight, Span span);

  const LowerInput& input_;
  Procedure& procedure_;
  Sink& sink_;
  Refuse refuse_;
  FindEarlier find_earlier_;
  std::size_t weight_ = 0;  // of what loops and expressions have made of arguments
  std::size_t loops_ = 0;   // around what is being read
  bool is_too_much_ = false;

  // Of the step that is being read.
  const ProcedureStep* step_ = nullptr;
  const ModuleInstance* module_ = nullptr;
  std::vector<TakenOutput> taken_ = {};
  bool is_whole_ = true;
  // Of the argument that is being read.
  ir::ArgumentType wanted_ = ir::ArgumentType::any;
  std::optional<syntax::ValueType> type_ = {};
};

/// Does it need a name whose value nobody knows? Then it is not judged.
[[nodiscard]] bool needs_unknown(const syntax::Template& text, const ModuleInstance& module);

/// Where an argument of a step stands: its value; the step's id where it was not written.
[[nodiscard]] Span place_of(const ProcedureStep& step, std::string_view argument);

/// Something that is wrong with the arguments of a step.
struct ArgumentProblem {
  Kind kind = Kind::procedure_broken;
  Span span = {};
  std::string message = {};
  std::string help = {};
  std::string label = {};
  bool is_of_step = false;  ///< what stands there is right, and belongs into another step
};
/// All of it that the module tells. Arguments that a kind does not have, secrets where none may be,
/// values of another type, arguments that are missing.
[[nodiscard]] std::vector<ArgumentProblem> problems_of_arguments(const ProcedureStep& step,
                                                                 const ReadArguments& given);

}  // namespace plan::lower
