// The command line of `score`: every option, the configuration file, mistakes, the help page.
#include "options.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/run/score_job.hpp"

#include "command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace h5score::cli {
namespace {

using base::Error;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Words = std::vector<std::string>;

run::ScoreOptions score(const Words& more) {
  Words words{"--model", "m.h5", "--input", "in.h5", "--output", "out.h5"};
  words.insert(words.end(), more.begin(), more.end());
  return score_options(parse(score_spec(), words));
}

std::string error_of(const Words& words, base::ExitCode code = base::ExitCode::usage) {
  try {
    static_cast<void>(score_options(parse(score_spec(), words)));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

class Config : public testing::Test {
 protected:
  Config()
      : path_(std::filesystem::temp_directory_path() / ("h5score_config_" + std::to_string(::getpid()) + ".ini")) {}
  ~Config() override { std::filesystem::remove(path_); }
  std::string write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_.string();
  }

 private:
  std::filesystem::path path_;
};

TEST(ScoreOptions, DefaultsAreThoseOfTheJob) {
  const run::ScoreOptions defaults;
  const run::ScoreOptions got = score({});
  EXPECT_EQ(got.schedule, defaults.schedule);
  EXPECT_EQ(got.io, defaults.io);
  EXPECT_EQ(got.threads, defaults.threads);
  EXPECT_EQ(got.memory_per_rank, defaults.memory_per_rank);
  EXPECT_EQ(got.sync_interval, defaults.sync_interval);
  EXPECT_FALSE(got.time_limit.has_value());
  EXPECT_EQ(got.wait, 0);
  EXPECT_FALSE(got.resume || got.overwrite || got.dry_run);
  EXPECT_TRUE(got.write.empty() && got.features.empty() && got.rows.empty() && got.report.empty());
}

TEST(ScoreOptions, EveryEverydayOptionArrives) {
  const auto got = score({"--dataset",   "/x",           "--write",    "label,probability", "--features",
                          "0:10",        "--rows",       "5:9",        "--passthrough",     "id",
                          "/group/name", "--missing",    "error",      "--resume",          "--overwrite",
                          "--dry-run",   "--time-limit", "1-00:00:00", "--report",          "run.json",
                          "--progress",  "none"});
  EXPECT_EQ(got.dataset, "/x");
  EXPECT_THAT(got.write, ElementsAre("label", "probability"));
  EXPECT_EQ(got.features, "0:10");
  EXPECT_EQ(got.rows, "5:9");
  EXPECT_THAT(got.passthrough, ElementsAre("id", "/group/name"));
  EXPECT_EQ(got.missing, run::MissingPolicy::error);
  EXPECT_TRUE(got.resume && got.overwrite && got.dry_run);
  EXPECT_EQ(got.time_limit, 86400);
  EXPECT_EQ(got.report, "run.json");
  EXPECT_EQ(got.progress, run::ProgressMode::none);
}

TEST(ScoreOptions, CompressionIsALevelOfGzip) {
  EXPECT_EQ(score({}).compress, 0U);
  EXPECT_EQ(score({"--compress", "gzip:1"}).compress, 1U);
  EXPECT_EQ(score({"--compress", "gzip:9"}).compress, 9U);
  for (const char* wrong : {"gzip", "gzip:", "gzip:0", "gzip:10", "gzip:a", "zstd:3", "4"})
    EXPECT_THROW(score({"--compress", wrong}), base::Error) << wrong;
}

run::VerifyOptions verify(const Words& words) {
  return verify_options(parse(verify_spec(), words));
}

TEST(VerifyOptions, AreASampleOfTheRecordedFilesUnlessToldElse) {
  const run::VerifyOptions defaults;
  const auto got = verify({"s.h5"});
  EXPECT_EQ(got.scores, "s.h5");
  EXPECT_FALSE(got.all);
  EXPECT_EQ(got.sample, defaults.sample);
  EXPECT_EQ(got.memory_per_rank, defaults.memory_per_rank);
  EXPECT_TRUE(got.models.empty() && got.inputs.empty());
}

TEST(VerifyOptions, EveryOptionArrives) {
  const auto got = verify({"s.h5", "--sample", "7", "--model", "z=a.h5", "b.h5", "--input", "x.h5", "y*.h5",
                           "--threads", "3", "--memory-per-rank", "2G", "--progress", "none"});
  EXPECT_EQ(got.sample, 7U);
  ASSERT_EQ(got.models.size(), 2U);
  EXPECT_EQ(got.models[0].name, "z");
  EXPECT_EQ(got.models[1].path, "b.h5");
  EXPECT_THAT(got.inputs, ElementsAre("x.h5", "y*.h5"));
  EXPECT_EQ(got.threads, 3U);
  EXPECT_EQ(got.memory_per_rank, u64{2} << 30);
  EXPECT_EQ(got.progress, run::ProgressMode::none);
  EXPECT_TRUE(verify({"s.h5", "--all"}).all);
}

TEST(VerifyOptions, RefusesWhatMakesNoSense) {
  EXPECT_THROW(verify({"s.h5", "--all", "--sample", "3"}), base::Error);
  EXPECT_THROW(verify({"s.h5", "--sample", "0"}), base::Error);
  EXPECT_THROW(verify({"s.h5", "t.h5"}), base::Error);
  EXPECT_THROW(verify({}), base::Error);
}

TEST(ScoreOptions, EveryTuningOptionArrives) {
  const auto got =
      score({"--schedule", "static", "--io", "scatter", "--threads", "3", "--memory-per-rank", "2G", "--block-rows",
             "1000", "--precision", "float32", "--sync-interval", "5", "--file-locking", "off"});
  EXPECT_EQ(got.schedule, run::Schedule::static_);
  EXPECT_EQ(got.io, "scatter");
  EXPECT_EQ(got.threads, 3U);
  EXPECT_EQ(got.memory_per_rank, u64{2} << 30);
  EXPECT_EQ(got.block_rows, 1000U);
  EXPECT_EQ(got.precision, run::PrecisionChoice::float32);
  EXPECT_EQ(got.sync_interval, 5);
  EXPECT_EQ(got.file_locking, "off");
}

TEST(ScoreOptions, EveryWayOfReadingArrives) {
  EXPECT_EQ(score({}).io, "auto");
  for (const char* how : {"auto", "scatter", "direct"}) EXPECT_EQ(score({"--io", how}).io, how);
  EXPECT_THROW(score({"--io", "mpiio"}), base::Error);
}

TEST(ScoreOptions, FeaturesAndMissingValuesArrive) {
  using Policy = run::MissingFeatures::Policy;
  const auto got = score({"--features", "mag_g-mag_r,i=mag_i", "--feature-names", "names.txt", "--missing", "fill",
                          "--missing-value", "-9999", "--missing-value=99,nan,-99", "--fill", "mag_u=27.8,a=b=-1e3",
                          "--missing-features", "mean"});
  EXPECT_EQ(got.features, "mag_g-mag_r,i=mag_i");
  EXPECT_EQ(got.feature_names, "names.txt");
  EXPECT_EQ(got.missing, run::MissingPolicy::fill);
  EXPECT_THAT(got.missing_values, ElementsAre(-9999, 99, -99));
  ASSERT_EQ(got.fills.size(), 2U);
  EXPECT_EQ(got.fills[0].name, "mag_u");
  EXPECT_EQ(got.fills[0].value, 27.8);
  EXPECT_EQ(got.fills[1].name, "a=b");
  EXPECT_EQ(got.fills[1].value, -1000);
  EXPECT_EQ(got.missing_features.policy, Policy::mean);
  EXPECT_EQ(score({}).missing_features.policy, Policy::error);
  EXPECT_EQ(score({"--missing-features", "-1.5"}).missing_features.policy, Policy::value);
  EXPECT_EQ(score({"--missing-features", "-1.5"}).missing_features.value, -1.5);
}

TEST(ScoreOptions, ListsTakeManyWordsAndRepeats) {
  const auto got = score_options(parse(score_spec(), {"--input", "a.h5", "b.h5", "run*.h5", "--model", "m.h5", "c=n.h5",
                                                      "--input=z.h5", "-o", "out.h5"}));
  EXPECT_THAT(got.inputs, ElementsAre("a.h5", "b.h5", "run*.h5", "z.h5"));
  ASSERT_EQ(got.models.size(), 2U);
  EXPECT_EQ(got.models[1].name, "c");
  EXPECT_EQ(got.models[1].path, "n.h5");
  EXPECT_EQ(got.output, "out.h5");
}

TEST(ScoreOptions, NamesWhatIsMissing) {
  EXPECT_THAT(error_of({}), HasSubstr("--model is missing"));
  EXPECT_THAT(error_of({"--model", "m.h5"}), HasSubstr("--input is missing"));
  EXPECT_THAT(error_of({"--model", "m.h5", "--input", "a.h5"}), HasSubstr("--output is missing"));
}

TEST(ScoreOptions, MistakesAreToldInOneGrammar) {
  const Words good{"--model", "m.h5", "--input", "a.h5", "--output", "o.h5"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), good.begin(), good.end());
    return error_of(more);
  };
  EXPECT_EQ(with({"--ouput", "x"}), "--ouput: unknown option; did you mean --output?");
  EXPECT_EQ(with({"--ouput=x"}), "--ouput: unknown option; did you mean --output?");
  EXPECT_EQ(with({"--mod", "x"}), "--mod: unknown option; did you mean --model?");
  EXPECT_EQ(with({"--frobnicate"}), "--frobnicate: unknown option; see h5score score --help");
  EXPECT_EQ(with({"-x"}), "-x: unknown option; see h5score score --help");
  EXPECT_EQ(with({"--output", "twice.h5"}), "--output: given more than once");
  EXPECT_THAT(with({"--report"}), HasSubstr("--report: a value is missing"));
  EXPECT_THAT(with({"--report="}), HasSubstr("--report: a value is missing"));
  EXPECT_EQ(with({"--resume=yes"}), "--resume: takes no value");
  EXPECT_THAT(with({"--schedule", "dynamc"}), HasSubstr("expected static, dynamic, guided"));
  EXPECT_THAT(with({"--write", "label,probabilities"}), HasSubstr("'probabilities' is not valid"));
  EXPECT_THAT(with({"--fill", "mag_u"}), HasSubstr("expected NAME=V"));
  EXPECT_THAT(with({"--fill", "mag_u=faint"}), HasSubstr("--fill: 'mag_u=faint' is not valid"));
  EXPECT_THAT(with({"--fill", "a=1,a=2"}), HasSubstr("a is given twice"));
  EXPECT_THAT(with({"--missing-value", "none"}), HasSubstr("--missing-value: 'none' is not valid"));
  EXPECT_THAT(with({"--missing-features", "median"}), HasSubstr("expected error, mean or a number"));
  EXPECT_THAT(with({"--missing", "skip"}), HasSubstr("expected mark, error, fill"));
  EXPECT_THAT(with({"--report", "r.json", "stray.h5"}), HasSubstr("unexpected argument 'stray.h5'"));
  EXPECT_THAT(with({"--report", "a.h5"}), HasSubstr("the same file as an input"));
  EXPECT_THAT(with({"--report", "o.h5"}), HasSubstr("the same file as the output"));
  EXPECT_THAT(error_of({"--model", "m.h5", "--input", "a.h5", "--output", "./m.h5"}),
              HasSubstr("same file as a model"));
}

TEST(ScoreOptions, OptionsOfLaterWorkAreNotTakenSilently) {
  const Words good{"--model", "m.h5", "--input", "a.h5", "--output", "o.h5"};
  for (const Words& more : {Words{"--trace", "t.json"}}) {
    Words words = good;
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_THAT(error_of(words), HasSubstr(more[0])) << more[0];
  }
}

TEST_F(Config, FillsInWhatTheCommandLineLeavesOpen) {
  const std::string path = write(
      "# nightly run\nmodel = m.h5\ninput = a.h5\ninput = b.h5\noutput = from_file.h5\nthreads = 4\nresume = true\n"
      "overwrite = no\n");
  const auto got = score_options(parse(score_spec(), {"--config", path, "--output", "mine.h5"}));
  EXPECT_EQ(got.output, "mine.h5");
  EXPECT_THAT(got.inputs, ElementsAre("a.h5", "b.h5"));
  EXPECT_EQ(got.threads, 4U);
  EXPECT_TRUE(got.resume);
  EXPECT_FALSE(got.overwrite);
}

TEST_F(Config, CommandLineReplacesWholeLists) {
  const std::string path = write("model = m.h5\ninput = a.h5\ninput = b.h5\noutput = o.h5\n");
  EXPECT_THAT(score_options(parse(score_spec(), {"--config", path, "--input", "c.h5"})).inputs, ElementsAre("c.h5"));
}

TEST_F(Config, MistakesNameTheFile) {
  std::string path = write("thread = 4\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ": unknown key 'thread'; did you mean threads?"));
  path = write("threads = 4\nthreads = 5\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ": --threads: given more than once"));
  path = write("just words\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr("the line 'just words' is not 'name = value'"));
  path = write("resume = perhaps\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ": --resume: expected yes or no"));
  EXPECT_THAT(error_of({"--config", "/no/such.ini"}, base::ExitCode::no_input), HasSubstr("/no/such.ini"));
}

TEST_F(Config, ListsAreReadAfterTheInputsOfTheCommandLine) {
  const std::string path = write("# nightly\n\n run1.h5\t\r\n  # gone: run2.h5\nwith space #3.h5\nrun*.h5\n");
  EXPECT_THAT(score({"--input-list", path}).inputs, ElementsAre("in.h5", "run1.h5", "with space #3.h5", "run*.h5"));
  const Words without{"--model", "m.h5", "--output", "o.h5", "--input-list", path};
  EXPECT_THAT(score_options(parse(score_spec(), without)).inputs,
              ElementsAre("run1.h5", "with space #3.h5", "run*.h5"));
}

TEST_F(Config, ListsThatGiveNoInputAreRefused) {
  const auto refused = [](const std::string& list, base::ExitCode code) {
    return error_of({"--model", "m.h5", "--output", "o.h5", "--input-list", list}, code);
  };
  const std::string path = write("# none\n\n");
  EXPECT_THAT(refused(path, base::ExitCode::usage), HasSubstr("--input-list " + path + ": names no file"));
  EXPECT_THAT(refused("/no/such.txt", base::ExitCode::no_input), HasSubstr("/no/such.txt: cannot be read (No such"));
  EXPECT_THAT(refused("/", base::ExitCode::no_input), HasSubstr("/: cannot be read (Is a directory"));
  EXPECT_THAT(refused(write("o.h5\n"), base::ExitCode::usage), HasSubstr("the same file as an input"));
}

TEST(Nearest, FindsMisspellingsAndAbbreviations) {
  const Words names{"model", "input", "output", "overwrite", "threads", "time-limit"};
  EXPECT_EQ(base::nearest("ouput", names), "output");
  EXPECT_EQ(base::nearest("inptu", names), "input");
  EXPECT_EQ(base::nearest("thread", names), "threads");
  EXPECT_EQ(base::nearest("timelimit", names), "time-limit");
  EXPECT_EQ(base::nearest("over", names), "overwrite");
  EXPECT_EQ(base::nearest("INPUT", names), "input");
  EXPECT_EQ(base::nearest("compress", names), "");
  EXPECT_EQ(base::nearest("", names), "");
}

TEST(Help, EverydayOptionsComeBeforeTuningAndExamplesLast) {
  const std::string text = help_text(score_spec(), 80);
  EXPECT_THAT(text, testing::StartsWith("Usage: h5score score --model FILE --input FILE... --output FILE [options]"));
  const auto options = text.find("\nOptions:\n");
  const auto resume = text.find("\n  --resume ");
  const auto tuning = text.find("\nTuning");
  const auto schedule = text.find("--schedule HOW");
  const auto examples = text.find("\nExamples:");
  ASSERT_NE(examples, std::string::npos);
  EXPECT_TRUE(options < resume && resume < tuning && tuning < schedule && schedule < examples);
  EXPECT_THAT(text, Not(HasSubstr("\t")));
}

TEST(Help, NamesEveryOptionAndFitsTheWidth) {
  for (const u64 width : {80U, 100U, 160U}) {
    const std::string text = help_text(score_spec(), width);
    for (const auto& option : score_spec().options) EXPECT_THAT(text, HasSubstr(std::string("--") + option.name));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), std::min<u64>(width, 100)) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

}  // namespace
}  // namespace h5score::cli
