// Whether the steps of a saved plan are those that its texts give.
#include "runtime/command/saved_steps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/schema/schema.h"
#include "compiler/schema_drift.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/runtime/command/small_project.h"

namespace plan::command {
namespace {

using ir::Value;

/// As it is saved.
ir::SavedPlan saved_plan_of(const SmallProject& project, const schema::Schema* schema) {
  CompileInput input = project.input();
  input.schema = schema;
  ir::SavedPlan saved;
  saved.made_at = "2026-08-14T09:12:00Z";
  saved.plan_name = "small";
  saved.plan_digest = ir::sha256(input.plan_text).hex();
  saved.lock_digest = ir::sha256(*input.lock_text).hex();
  CompileResult compiled = compile(std::move(input));
  if (!compiled.graph) {
    ADD_FAILURE() << render_terminal(compiled.diagnostics, *compiled.sources, {});
    return saved;
  }
  saved.graph = std::move(*compiled.graph);
  for (std::size_t i = 1; i <= compiled.sources->size(); ++i) {
    const auto file = static_cast<FileId>(i);
    saved.sources.emplace_back(std::string(compiled.sources->name(file)),
                               std::string(compiled.sources->text(file)));
  }
  if (schema != nullptr) saved.schema_parts = schema->facts_of(types_written(saved.graph));
  saved.made_from = made_from(saved);
  saved.made_by = program_name();
  return saved;
}

/// A plan with a list, a module in a folder `std` beside it, and measurements.
ir::SavedPlan saved_plan() {
  return saved_plan_of(SmallProject({"alice", "bob"}, "std/own.plan"), nullptr);
}

/// The graph of `saved` with its document changed by hand.
ir::SavedPlan with_graph(const std::function<void(Value& document)>& change) {
  ir::SavedPlan saved = saved_plan();
  Value document = saved.graph.to_document();
  change(document);
  auto graph = ir::StepGraph::from_document(document);
  if (!graph) {
    ADD_FAILURE() << graph.error().to_line();
  } else {
    saved.graph = std::move(*graph);
  }
  return saved;
}

/// Changes one of `part` ("shapes", "rows", "waves", "steps").
void change_one(Value& document, const char* part, std::size_t at,
                const std::function<void(Value& one)>& change) {
  Value all = document[part];
  change(all.as_list()[at]);
  document.set(part, std::move(all));
}

std::size_t shape_of(const Value& document, std::string_view id) {
  const ir::List& shapes = document["shapes"].items();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i]["id"].string_or("") == id) return i;
  }
  ADD_FAILURE() << "no step " << id;
  return 0;
}

/// Name and text of one of its texts.
std::pair<std::string, std::string>& source_in(ir::SavedPlan& saved, std::string_view name) {
  const auto found = std::find_if(saved.sources.begin(), saved.sources.end(),
                                  [&](const auto& source) { return source.first == name; });
  if (found == saved.sources.end()) throw std::runtime_error(fmt::format("no text {}", name));
  return *found;
}

std::string refusal(const ir::SavedPlan& saved) {
  const Outcome same = check_saved_steps(saved);
  if (same) return "accepted";
  EXPECT_TRUE(same.error().is(errors::steps_not_of_sources)) << same.error().to_line();
  return same.error().message();
}

TEST(SavedSteps, ThoseOfItsTextsAreAccepted) {
  EXPECT_EQ(refusal(saved_plan()), "accepted");
  std::string digest;
  const std::string text = ir::write_saved_plan(saved_plan(), &digest);
  const auto read = ir::read_saved_plan(text, &digest);
  ASSERT_TRUE(read) << read.error().to_line();
  EXPECT_EQ(read->made_by, program_name());
  EXPECT_EQ(refusal(*read), "accepted");
}

TEST(SavedSteps, AmountsAreReadWithTheSchemaOfTheFile) {
  auto schema = schema::Schema::read(
      test::read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json"));
  ASSERT_TRUE(schema) << schema.error().to_line();
  SmallProject project({"alice", "bob"}, "own.plan");
  project.files["own.plan"] += test::kTrashOfAWeek;
  const ir::SavedPlan saved = saved_plan_of(project, &*schema);
  const auto step = saved.graph.find("own/retention");
  ASSERT_TRUE(step);
  EXPECT_EQ(saved.graph.argument(*step, "set")["expungeTrashAfter"], Value(604'800'000));
  EXPECT_EQ(refusal(saved), "accepted");
}

TEST(SavedSteps, PartsOfASchemaThatNobodyWroteAreRefused) {
  ir::SavedPlan saved = saved_plan();
  saved.schema_parts = Value::map({{"planSchemaFacts", "none"}});
  EXPECT_TRUE(refusal(saved).starts_with("its `schema_parts` cannot be read: "));
}

TEST(SavedSteps, AnotherTitleIsRefused) {
  ir::SavedPlan saved = saved_plan();
  saved.plan_name = "something else\x1b[2J";
  EXPECT_EQ(refusal(saved),
            "it is about \"something else\\x1b[2J\", and its texts are about \"small\"");
}

TEST(SavedSteps, NamesOfTextsThatPlanDoesNotGiveAreRefused) {
  ir::SavedPlan saved = saved_plan();
  saved.sources.front().first = "migration.yaml\nreviewed";
  EXPECT_EQ(refusal(saved), "a text in it has the name \"migration.yaml\\x0areviewed\"");
  saved.sources.front().first = "";
  EXPECT_EQ(refusal(saved), "a text in it has the name \"\"");
  saved = saved_plan();
  source_in(saved, "migration.lock").first = "reviewed.lock";
  EXPECT_EQ(refusal(saved),
            "a text in it has the name reviewed.lock, and beside migration.yaml it is "
            "migration.lock");
  saved = saved_plan();
  source_in(saved, ".plan/facts.jsonl").first = "elsewhere/.plan/facts.jsonl";
  EXPECT_EQ(refusal(saved),
            "a text in it has the name elsewhere/.plan/facts.jsonl, and beside migration.yaml it "
            "is .plan/facts.jsonl");
}

TEST(SavedSteps, AChangedArgumentIsNamedWithItsStep) {
  const std::string words = refusal(with_graph([](Value& document) {
    change_one(document, "shapes", shape_of(document, "account/{}/create"), [](Value& shape) {
      Value arguments = shape["arguments"];
      arguments.set("domain", "elsewhere.test");
      shape.set("arguments", std::move(arguments));
    });
  }));
  EXPECT_TRUE(words.starts_with("account/alice@example.org/create: domain is ")) << words;
  EXPECT_NE(words.find("elsewhere.test"), std::string::npos) << words;
  EXPECT_TRUE(words.ends_with("; and 1 step more differs")) << words;
}

TEST(SavedSteps, AnotherOrderAnotherWaveAndAnotherRowAreSeen) {
  const std::string order = refusal(with_graph([](Value& document) {
    for (std::size_t i = 0; i < document["steps"].size(); ++i) {
      if (document["steps"].item(i).item(3).size() == 0) continue;
      change_one(document, "steps", i, [](Value& step) { step.as_list()[3] = Value::list(); });
      return;
    }
  }));
  EXPECT_NE(order.find("it does not run after"), std::string::npos) << order;
  const std::string wave = refusal(with_graph([](Value& document) {
    change_one(document, "waves", 1, [](Value& one) { one.set("parallel", 400); });
  }));
  EXPECT_NE(wave.find("wave.parallel is 400, and its texts give 8"), std::string::npos) << wave;
  const std::string row = refusal(with_graph([](Value& document) {
    for (std::size_t i = 0; i < document["rows"].size(); ++i) {
      if (document["rows"].item(i).item(0).string_or("") != "alice@example.org") continue;
      change_one(document, "rows", i, [](Value& one) {
        Value members = one.item(1);
        members.set("planted", true);
        one.as_list()[1] = std::move(members);
      });
      return;
    }
  }));
  EXPECT_NE(row.find("planted is true"), std::string::npos) << row;
}

TEST(SavedSteps, OnlyAnotherProgramMayPointAtOtherPlaces) {
  const auto moved = [](Value& document) {
    change_one(document, "shapes", 0, [](Value& shape) {
      shape.set("origin", Value(ir::List{1, 0, 1}));
    });
  };
  ir::SavedPlan saved = with_graph(moved);
  EXPECT_NE(refusal(saved).find("other places"), std::string::npos);
  saved.made_by = "plan 9.9.9";  // who says so has to show it: by the texts of plan's modules
  EXPECT_NE(refusal(saved).find("other places"), std::string::npos);
  source_in(saved, "std/finalize.plan").second += "# words\n";
  EXPECT_EQ(refusal(saved), "accepted");
}

TEST(SavedSteps, AnotherProgramIsNamedAsTheReason) {
  ir::SavedPlan saved = with_graph([](Value& document) {
    change_one(document, "waves", 1, [](Value& one) { one.set("parallel", 400); });
  });
  saved.made_by = "plan 9.9.9 build abc";
  EXPECT_TRUE(refusal(saved).starts_with("it was saved by plan 9.9.9 build abc, and this is plan "))
      << refusal(saved);
}

TEST(SavedSteps, TextsThatAreNotThereOrDoNotCompileAreRefused) {
  ir::SavedPlan saved = saved_plan();
  std::erase_if(saved.sources, [](const auto& source) { return source.first == "accounts.csv"; });
  EXPECT_NE(refusal(saved).find("do not compile: "), std::string::npos) << refusal(saved);
  saved = saved_plan();
  std::swap(saved.sources[0], saved.sources[1]);
  EXPECT_EQ(refusal(saved), "the first of the texts in it is not the plan");
  saved.sources.clear();
  EXPECT_EQ(refusal(saved), "the first of the texts in it is not the plan");
}

TEST(SavedSteps, ATextThatIsNoPartOfThePlanIsRefused) {
  const auto words_about = [](const std::string& name) {
    return "its texts are not those that compiling them reads: " + name +
           " is one too many, or missing, or stands in another place";
  };
  ir::SavedPlan saved = saved_plan();
  saved.sources.emplace_back("extra.txt", "nobody reads this\n");
  EXPECT_EQ(refusal(saved), words_about("extra.txt"));
  saved = saved_plan();
  saved.sources.push_back(saved.sources[1]);
  EXPECT_EQ(refusal(saved), words_about(saved.sources[1].first)) << "the same one twice";
  saved = saved_plan();
  saved.sources.emplace_back("elsewhere/.plan/facts.jsonl", "");
  EXPECT_EQ(refusal(saved),
            "a text in it has the name elsewhere/.plan/facts.jsonl, and beside migration.yaml it "
            "is .plan/facts.jsonl")
      << "measurements are texts too";
}

TEST(SavedSteps, RowsAndWavesThatNoStepIsOfAreCounted) {
  const std::string words = refusal(with_graph([](Value& document) {
    Value rows = document["rows"];
    for (int row = 0; row < 3; ++row)
      rows.push_back(ir::List{fmt::format("nobody-{}", row), Value::map(), ir::List{0, 0, 0}});
    document.set("rows", std::move(rows));
  }));
  EXPECT_NE(words.find(" rows of steps, and its texts give "), std::string::npos) << words;
  const std::string waves = refusal(with_graph([](Value& document) {
    Value all = document["waves"];
    Value another = all.item(0);
    all.push_back(std::move(another));
    document.set("waves", std::move(all));
  }));
  EXPECT_EQ(waves, "it has 3 waves of steps, and its texts give 2");
}

TEST(SavedSteps, AMeasurementIsNoPartOfWhatItWasMadeFrom) {
  ir::SavedPlan saved = saved_plan();
  std::string& measured = source_in(saved, ".plan/facts.jsonl").second;
  ASSERT_FALSE(measured.empty());
  measured = "";
  EXPECT_EQ(made_from(saved), saved.made_from);
  saved.sources[1].second += " ";
  EXPECT_NE(made_from(saved), saved.made_from);
}

}  // namespace
}  // namespace plan::command
