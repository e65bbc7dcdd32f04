#include "compiler/modules.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/syntax/language.h"

namespace plan {
namespace {

using Files = std::map<std::string, std::string>;

/// What is reported for a plan that uses `./mine.plan`, with these texts for its files.
struct Linked {
  SourceSet sources;
  Sink sink;
  std::unique_ptr<LinkedModules> modules;

  explicit Linked(Files files, const std::string& use = "use: ./mine.plan") {
    auto tree = std::make_shared<syntax::Node>(
        *syntax::read_source(sources, sources.add("migration.yaml", use + "\n"), sink));
    check::Plan plan;
    plan.tree = tree;
    ModuleSource source;
    source.file_text = [files = std::move(files)](const std::string& path) -> Result<std::string> {
      static constexpr ErrorCode kMissing{"file-missing", "a file is not there", "write it"};
      const auto found = files.find(path);
      if (found == files.end()) return Error(kMissing, "there is no such file");
      return found->second;
    };
    syntax::Scope scope;
    scope.set("addresses", ir::Value::map({{"target", "203.0.113.30"}}));
    scope.set("token", ir::SecretRef{"env", "T"});
    modules = link_modules(plan, source, scope, {}, {}, sources, sink);
  }
  [[nodiscard]] std::string problems() const {
    std::string lines;
    for (const Diagnostic& d : sink.sorted())
      lines += std::string(info(d.kind).name) + " at `" + std::string(sources.text(d.span)) +
               "`: " + d.message + "\n";
    return lines;
  }
  [[nodiscard]] const ir::Value* value(const char* name) const {
    return modules == nullptr || !modules->is_whole ? nullptr
                                                    : modules->instances.back().scope.find(name);
  }
};

TEST(Modules, InputsComeFromTheUseThenFromThePlanThenFromTheDefault) {
  const std::string mine =
      "module mine\ninput addresses : map(host)\ninput port : integer = 25\n"
      "let url_of = \"https://${addresses.target}:${port}\"\n";
  const Linked plain(Files{{"mine.plan", mine}});
  ASSERT_NE(plain.value("url_of"), nullptr) << plain.problems();
  EXPECT_EQ(*plain.value("url_of"), ir::Value("https://203.0.113.30:25"));
  const Linked given(Files{{"mine.plan", mine}}, "use: {module: ./mine.plan, with: {port: 8025}}");
  ASSERT_NE(given.value("url_of"), nullptr) << given.problems();
  EXPECT_EQ(*given.value("url_of"), ir::Value("https://203.0.113.30:8025"));
}

TEST(Modules, ATypeOfAnotherLanguageIsTold) {
  for (const auto& [written, meant] :
       std::initializer_list<std::pair<const char*, const char*>>{{"string", "text"},
                                                                  {"bytes", "size"},
                                                                  {"bool", "boolean"},
                                                                  {"int", "integer"},
                                                                  {"list(string)", "text"},
                                                                  {"list(domian)", "domain"}}) {
    const Linked linked(
        Files{{"mine.plan", "module mine\ninput a : " + std::string(written) + "\n"}});
    const std::vector<Diagnostic> said = linked.sink.sorted();
    ASSERT_EQ(said.size(), 1U) << written;
    EXPECT_EQ(said.front().label, "did you mean `" + std::string(meant) + "`?") << written;
  }
}

TEST(Modules, AnObjectOfTheTargetIsOfItsType) {
  const std::string form = "module form\ninput o : object(HttpForm)\nlet name = o.defaultName\n";
  const auto linked = [&](const std::string& mine) {
    return Linked(Files{{"mine.plan", "module mine\n" + mine}, {"form.plan", form}});
  };
  EXPECT_EQ(linked("use ./form.plan { o = { defaultName = \"x\" } }\n").problems(), "");
  EXPECT_EQ(
      linked("input p : object(HttpForm) = { defaultName = \"x\" }\nuse ./form.plan { o = p }\n")
          .problems(),
      "");
  EXPECT_EQ(
      linked("input p : object(Domain) = { defaultName = \"x\" }\nuse ./form.plan { o = p }\n")
          .problems(),
      "input-type at `p`: input `o` of `./form.plan`: this is object(Domain), where "
      "object(HttpForm) is needed\n");
  EXPECT_EQ(
      linked("use ./form.plan { o = \"x\" }\n").problems(),
      "input-type at `\"x\"`: input `o` of `./form.plan`: this is text, where object(HttpForm) "
      "is needed\n");
  EXPECT_EQ(
      Linked(
          Files{
              {"mine.plan", "module mine\nuse ./form.yaml { o = { defaultName = \"x\" } }\n"},
              {"form.yaml",
               "module: form\ninputs: {o: object(HttpForm)}\nlet: {name: \"${o.defaultName}\"}\n"}})
          .problems(),
      "");
  EXPECT_EQ(Linked(Files{{"mine.plan", "module mine\ninput o : object\n"}}).problems(),
            "input-type at `object`: input `o` has no type that is known\n");
}

TEST(Modules, ALetKeepsTheUnitOfWhatIsWritten) {
  const Linked right(
      Files{{"mine.plan",
             "module mine\nlet big = 2GiB\nlet bounds = { few = 5m, many = [1d, 2d] }\n"
             "let most = max(50MiB, big)\nlet again = max(most, 1B)\n"
             "let least = min(10m, bounds.few)\nlet plain = max(3, 7)\n"}});
  ASSERT_NE(right.value("again"), nullptr) << right.problems();
  EXPECT_EQ(*right.value("again"), ir::Value(std::int64_t{2} << 30U));
  EXPECT_EQ(*right.value("least"), ir::Value(300'000));
  ASSERT_NE(right.value("plain"), nullptr) << right.problems();
  EXPECT_EQ(*right.value("plain"), ir::Value(7));
  EXPECT_EQ(Linked(Files{{"mine.plan", "module mine\nlet big = 2GiB\nlet most = max(5m, big)\n"}})
                .problems(),
            "expression-type at `big`: this is size, where duration is needed\n");
  EXPECT_EQ(Linked(Files{{"mine.plan", "module mine\nlet text = \"5m\"\nlet a = max(1m, text)\n"}})
                .problems(),
            "expression-type at `text`: text has no order\n");
}

TEST(Modules, OnlyWhatAModuleDeclaresIsSeenInIt) {
  EXPECT_EQ(
      Linked(Files{{"mine.plan", "module mine\ninput port : integer = 25\nlet a = addresses\n"}})
          .problems(),
      "unknown-name at `addresses`: there is no `addresses`\n");
}

TEST(Modules, ASecretFlowsOnlyIntoASecret) {
  EXPECT_EQ(
      Linked(Files{{"mine.plan", "module mine\ninput token : text\n"}}).problems(),
      "input-type at `./mine.plan`: input `token` of `./mine.plan`: a secret cannot become text\n");
  EXPECT_EQ(Linked(Files{{"mine.plan",
                          "module mine\ninput token : secret\nlet a = \"Bearer ${token}\"\n"}})
                .problems(),
            "expression-type at `token`: secret cannot be part of a text\n");
  const Linked right(
      Files{{"mine.plan", "module mine\ninput token : secret\nlet a = default(token, token)\n"}});
  ASSERT_NE(right.value("a"), nullptr) << right.problems();
  EXPECT_TRUE(right.value("a")->is_secret());
}

TEST(Modules, WhatIsWrongWithAUseIsSaidAtItsPlace) {
  EXPECT_EQ(Linked(Files{}).problems(),
            "unknown-procedure at `./mine.plan`: there is no module `./mine.plan`\n");
  EXPECT_EQ(Linked(Files{}, "use: ../mine.plan").problems(),
            "unknown-procedure at `../mine.plan`: there is no module `../mine.plan`\n");
  EXPECT_EQ(Linked(Files{{"mine.plan", "module mine\ninput port : intger\n"}}).problems(),
            "input-type at `intger`: input `port` has no type that is known\n");
  EXPECT_EQ(Linked(Files{{"mine.plan", "module mine\ninput port : integer = 25\n"}},
                   "use: {module: ./mine.plan, with: {prt: 1}, also: 2}")
                .problems(),
            "unknown-key at `prt`: `./mine.plan` has no input `prt`\n"
            "unknown-key at `also`: `also` means nothing in a `use`\n");
}

TEST(Modules, WhatLetsMakeOfOneAnotherIsBounded) {
  for (const char* twice : {"\"${a#}${a#}\"", "concat([a#], [a#])", "[a#, a#]",
                            "{ x = a#, y = a#, z = \"z\" }", "join([a#, a#], \", \")"}) {
    std::string mine = "module mine\nlet a0 = \"x\"\n";
    for (int i = 1; i <= 40; ++i) {
      std::string value = twice;
      for (std::size_t at = 0; (at = value.find('#', at)) != std::string::npos;)
        value.replace(at, 1, std::to_string(i - 1));
      mine += "let a" + std::to_string(i) + " = " + value + "\n";
    }
    const Linked linked(Files{{"mine.plan", mine}});
    EXPECT_NE(linked.problems().find("expression-type"), std::string::npos)
        << twice << "\n"
        << linked.problems().substr(0, 2000);
    EXPECT_LT(linked.sink.sorted().size(), 50U) << twice;
  }
}

TEST(Modules, TheLastOfTwentyThousandLetsIsFound) {
  std::string mine = "module mine\nlet a0 = 1\n";
  for (int i = 1; i < 20'000; ++i)
    mine += "let a" + std::to_string(i) + " = a" + std::to_string(i - 1) + "\n";
  const Linked linked(Files{{"mine.plan", mine}});
  ASSERT_NE(linked.value("a19999"), nullptr) << linked.problems().substr(0, 2000);
  EXPECT_EQ(*linked.value("a19999"), ir::Value(1));
}

TEST(Modules, AFanOfModulesIsBounded) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < 40; ++i) {
    const std::string next = "./m" + std::to_string(i + 1) + ".plan";
    files["m" + std::to_string(i) + ".plan"] =
        "module m\nuse " + next + " as a\nuse " + next + " as b\n";
  }
  files["mine.plan"] = "module mine\nuse ./m0.plan\n";
  const Linked linked(std::move(files));
  EXPECT_FALSE(linked.modules->is_whole);
  EXPECT_TRUE(linked.sink.has_errors());
  EXPECT_LT(linked.sources.size(), 1'000U);
}

}  // namespace
}  // namespace plan
