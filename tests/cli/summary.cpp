// The summary, its verdict, the JSON report and the dry run's page.
#include "h5score/run/summary.hpp"

#include "h5score/base/error.hpp"
#include "h5score/run/dry_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace h5score::run {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr TextStyle style{.width = 80, .utf8 = false, .terminal = false};

RankReport rank(u64 number, const PhaseTimes& phases) {
  RankReport report;
  report.rank = number;
  report.host = number < 2 ? "node1" : "node2";
  report.phases = phases;
  report.rows = 35000;
  report.peak_memory_bytes = (100 + number) << 20;
  report.buffer_bytes = 20 << 20;
  return report;
}

RunReport report_of(std::vector<PhaseTimes> phases) {
  RunReport report;
  report.rows = report.rows_total = 70000;
  report.blocks = 70;
  report.seconds = 2.5;
  report.loop_seconds = 2;
  report.bytes_read = 54880000;
  report.rows_flagged = report.rows_missing = 10;
  report.io = "scatter";
  report.isa = "avx512";
  for (u64 r = 0; r < phases.size(); ++r) report.ranks.push_back(rank(r, phases[r]));
  return report;
}

ScoreOptions options() {
  ScoreOptions o;
  o.models = {{"", "mlp.h5"}};
  o.inputs = {"in.h5"};
  o.output = "scores.h5";
  o.command_line = "h5score score --model mlp.h5 --input in.h5 --output scores.h5";
  return o;
}

TEST(PhaseSpread, IsMinMedianMaxOverRanks) {
  const auto spread = phase_spread(report_of({{.fetch = 1, .score = 1}, {.score = 2}, {.score = 5, .idle = 1}}));
  ASSERT_EQ(spread.size(), 6U);
  EXPECT_STREQ(spread[2].name, "score");
  EXPECT_EQ(spread[2].least, 1);
  EXPECT_EQ(spread[2].median, 2);
  EXPECT_EQ(spread[2].most, 5);
  EXPECT_DOUBLE_EQ(spread[2].share, 0.8);
  EXPECT_EQ(phase_spread(report_of({{.fetch = 1}, {.fetch = 2}}))[0].median, 1.5);
  EXPECT_EQ(phase_spread(RunReport{})[0].share, 0);
}

TEST(BoundedBy, NamesTheLargestPhase) {
  EXPECT_EQ(bounded_by(report_of({{.decode = 6.2, .score = 3.8}, {.decode = 6.2, .score = 3.8}})),
            "bounded by decoding (62 % of the ranks' time); more ranks or threads help");
  EXPECT_EQ(bounded_by(report_of({{.decode = 4.9, .score = 5.1}})),
            "bounded by scoring and decoding (51 % and 49 % of the loop's time); more ranks or threads help");
  EXPECT_THAT(bounded_by(report_of({{.fetch = 3, .score = 1}})), StartsWith("bounded by reading (75 % of the loop's"));
  EXPECT_THAT(bounded_by(report_of({{.score = 1, .write = 3}})), HasSubstr("bounded by writing"));
  EXPECT_THAT(bounded_by(report_of({{.score = 1, .transfer = 3}, {.score = 1, .transfer = 3}})),
              HasSubstr("moving blocks between ranks"));
}

TEST(BoundedBy, SeesThatRanksWaitForTheRoot) {
  EXPECT_EQ(bounded_by(report_of({{.fetch = 9, .score = 1}, {.score = 2, .idle = 8}, {.score = 2, .idle = 8}})),
            "bounded by rank 0's reading (90 % of its time, while the ranks waited 53 %); fewer ranks do as well");
  EXPECT_THAT(bounded_by(report_of({{.score = 9, .idle = 1}, {.score = 2, .idle = 8}, {.score = 2, .idle = 8}})),
              StartsWith("bounded by waiting (57 % of the ranks' time, 70 blocks for 3 ranks)"));
}

TEST(BoundedBy, IsSilentWhereNothingCanBeTold) {
  RunReport brief = report_of({{.score = 0.01}});
  brief.loop_seconds = 0.01;
  EXPECT_EQ(bounded_by(brief), "");
  EXPECT_EQ(bounded_by(RunReport{}), "");
}

TEST(Summary, SaysWhatHappened) {
  RunReport report = report_of({{.fetch = 0.1, .score = 1.9}, {.score = 1.8, .idle = 0.2}, {.score = 2}});
  const std::string text = format_summary(report, options(), style);
  EXPECT_THAT(text, StartsWith("Scored 70,000 rows in 2.50 s: 35.0 k rows/s, 27.4 MB/s read\n"));
  EXPECT_THAT(text, HasSubstr("results  scores.h5\n"));
  EXPECT_THAT(text, HasSubstr("69,990 ok, 10 missing, 0 non-finite"));
  EXPECT_THAT(text, HasSubstr("3 ranks x 1 thread on 2 hosts, dynamic schedule, scatter I/O, avx512\n"));
  EXPECT_THAT(text, HasSubstr("102 MiB at most (rank 2)"));
  EXPECT_THAT(text, HasSubstr("bounded by scoring"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Summary, CountsRowsOnceWhateverTheirFlagsAndTheModels) {
  RunReport report = report_of({{.score = 1}});
  report.models.resize(2);
  report.rows_flagged = 12;
  report.rows_nonfinite = 8;
  EXPECT_THAT(format_summary(report, options(), style),
              HasSubstr("69,988 ok, 10 missing, 8 non-finite (for any of 2 models)\n"));
}

TEST(Summary, OfAStoppedRunNamesThePartFile) {
  RunReport report = report_of({{.score = 1}});
  report.stopped = true;
  report.rows = 35000;
  const std::string text = format_summary(report, options(), style);
  EXPECT_THAT(text, StartsWith("Stopped early: scored 35,000 of 70,000 rows in 2.50 s"));
  EXPECT_THAT(text, HasSubstr("scores.h5.part"));
}

TEST(Summary, OfNothingIsStillReadable) {
  const std::string text = format_summary(RunReport{}, options(), style);
  EXPECT_THAT(text, StartsWith("Scored 0 rows in 0.00 s: 0 rows/s, 0 B/s read\n"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

TEST(ResumeCommand, AddsResumeAndDropsOverwrite) {
  ScoreOptions o = options();
  EXPECT_EQ(resume_command(o), o.command_line + " --resume");
  o.command_line = "h5score score --overwrite --model m.h5";
  EXPECT_EQ(resume_command(o), "h5score score --model m.h5 --resume");
  o.output = "/dev/null";  // an output that is there is only replaced if the resumed run is told so, too
  EXPECT_EQ(resume_command(o), "h5score score --overwrite --model m.h5 --resume");
  o.command_line = "h5score score --resume";
  o.resume = true;
  EXPECT_EQ(resume_command(o), "h5score score --resume");
}

TEST(ReportJson, HoldsEverything) {
  ScoreOptions o = options();
  o.versions = {{"h5score", "0.1.0"}};
  o.passthrough = {"na\xEFve"};  // not UTF-8
  RunReport report = report_of({{.score = 1.5}, {.idle = 0.5}});
  report.models.push_back({"z", "mlp.h5", "neural network", "abc", "float32", "256 rows"});
  const auto json = nlohmann::json::parse(report_json(report, o));
  EXPECT_EQ(json.at("models")[0].at("hash"), "abc");
  EXPECT_EQ(json.at("schema"), "h5score-report/1");
  EXPECT_EQ(json.at("status"), "done");
  EXPECT_EQ(json.at("rows"), 70000);
  EXPECT_EQ(json.at("seconds"), 2.5);
  EXPECT_EQ(json.at("loop_seconds"), 2);
  EXPECT_EQ(json.at("ranks").size(), 2U);
  EXPECT_EQ(json.at("ranks")[0].at("seconds").at("score"), 1.5);
  EXPECT_EQ(json.at("phases").at("score").at("max"), 1.5);
  EXPECT_EQ(json.at("options").at("model")[0].at("path"), "mlp.h5");
  EXPECT_EQ(json.at("options").at("schedule"), "dynamic");
  EXPECT_EQ(json.at("versions").at("h5score"), "0.1.0");
}

TEST(WriteReport, ReplacesAtomicallyAndLeavesNoTemporary) {
  const auto folder = std::filesystem::temp_directory_path() / ("h5score_report_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  ScoreOptions o = options();
  o.report = (folder / "run.json").string();
  for (const double seconds : {1.0, 2.0}) {
    RunReport report = report_of({{.score = 1}});
    report.seconds = seconds;
    write_report(report, o);
    EXPECT_EQ(nlohmann::json::parse(std::ifstream(o.report)).at("seconds"), seconds);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  o.report = (folder / "missing" / "run.json").string();
  try {
    write_report(RunReport{}, o);
    ADD_FAILURE() << "no error";
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::ExitCode::cant_create);
    EXPECT_THAT(e.what(), HasSubstr("run.json"));
  }
  std::filesystem::remove_all(folder);
}

DryRun some_plan() {
  DryRun plan;
  plan.inputs = {{"fashion.h5", "/images", "70000 x 28 x 28 uint8, chunks 100 x 28 x 28, gzip", 70000}};
  plan.rows = 70000;
  plan.sample_rows = {0, 1, 2, 3, 4};
  DryRunModel model{"",
                    "mlp.h5",
                    "neural network, 784 features, 10 classes",
                    "256 rows, max diff 3e-16",
                    "784 of 784 matched: 784 features by name from /images",
                    {"a note"},
                    {},
                    {}};
  for (int i = 0; i < 784; ++i)
    model.binding.push_back({"pixel" + std::to_string(i), "/images[:, " + std::to_string(i) + "]", "uint8", i * 0.5});
  model.columns.push_back(
      {"label", 1, {9, 0, -1, 3, 0}, {"top", "1", "2", "dress", "4", "5", "6", "7", "8", "boot"}, true});
  model.columns.push_back({"probability", 10, std::vector<double>(50, 0.1), {}});
  model.columns.push_back({"status", 1, {0, 0, 1, 2, 3}, {}});
  plan.models.push_back(model);
  plan.output = "scores.h5";
  plan.datasets = {{"/label", "70000", "int32", 280000}, {"/probability", "70000 x 10", "float32", 2800000}};
  plan.output_bytes = 3200000;
  plan.free_bytes = u64{1} << 40;
  plan.blocks = 14;
  plan.least_block_rows = plan.most_block_rows = 5000;
  plan.memory_per_rank = 30 << 20;
  plan.memory_limit = 1 << 30;
  plan.schedule = "dynamic";
  plan.io = "scatter";
  plan.precision = "float32";
  return plan;
}

TEST(DryRun, ShowsBindingSampleOutputAndPlan) {
  const std::string text = format_dry_run(some_plan(), style);
  EXPECT_THAT(text, HasSubstr("  784 of 784 matched: 784 features by name from /images\n  note: a note\n"));
  EXPECT_THAT(text, HasSubstr("pixel0        <-  /images[:, 0]    uint8            0"));
  EXPECT_THAT(text, HasSubstr("... 774 more"));
  EXPECT_THAT(text, HasSubstr("pixel783"));
  EXPECT_THAT(text, Not(HasSubstr("pixel100 ")));
  EXPECT_THAT(text, HasSubstr("5 rows scored for real"));
  EXPECT_THAT(text, HasSubstr("boot"));
  EXPECT_THAT(text, HasSubstr("(missing)"));
  EXPECT_THAT(text, HasSubstr("missing,nonfinite"));
  EXPECT_THAT(text, HasSubstr("/probability  70000 x 10  float32  2.67 MiB"));
  EXPECT_THAT(text, HasSubstr("14 blocks of 5,000 rows"));
  EXPECT_THAT(text, HasSubstr("30.0 MiB per rank (limit 1.00 GiB)"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(DryRun, WarnsOfAFullDisk) {
  DryRun plan = some_plan();
  plan.free_bytes = 1000;
  EXPECT_THAT(format_dry_run(plan, style), HasSubstr("DOES NOT FIT"));
}

TEST(DryRun, ManyInputsAreAbbreviated) {
  DryRun plan = some_plan();
  for (int i = 1; i < 500; ++i) plan.inputs.push_back({"run" + std::to_string(i) + ".h5", "/x", "", 10});
  const std::string text = format_dry_run(plan, style);
  EXPECT_THAT(text, HasSubstr("... 490 more"));
  EXPECT_THAT(text, HasSubstr("run499.h5"));
  EXPECT_THAT(text, Not(HasSubstr("run100.h5")));
}

}  // namespace
}  // namespace h5score::run
