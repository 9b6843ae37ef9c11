// `h5score inspect`: what a file is and holds. All reading happens in the sandbox.
#include "h5score/base/archive.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/stop.hpp"

#include "command.hpp"
#include "inspect_text.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

namespace h5score::cli {
namespace {

constexpr h5::Sandbox::Limits limits{.reply_timeout = std::chrono::seconds(120),
                                     .cpu_per_request = std::chrono::seconds(60)};
constexpr const char* ledger_dataset = "/h5score/ledger";  // what only score files have

struct ModelRequest {
  std::string path;
  u64 width = 80;
  bool utf8 = false;
};
template <class A>
void archive(A& ar, ModelRequest& v) {
  ar(v.path, v.width, v.utf8);
}

// Loading, compiling and the self-test all follow sizes from the file, so they all happen in the child; text comes
// back.
base::Bytes model_text(base::ByteView bytes) {
  const auto request = base::from_bytes<ModelRequest>(bytes);
  if (!format::is_model(request.path)) return base::to_bytes(std::string());
  const run::TextStyle style{.width = request.width, .utf8 = request.utf8, .terminal = false};
  return base::to_bytes(describe_model_file(request.path, format::load_model(request.path), style));
}

std::string inspected(h5::Sandbox& sandbox, const std::string& path, const run::TextStyle& style) {
  const auto ask = [&](const char* function, const base::Bytes& request) {
    return sandbox.call(function, request, path);
  };
  const ModelRequest request{path, style.width, style.utf8};
  if (auto text = base::from_bytes<std::string>(ask("model_text", base::to_bytes(request))); !text.empty()) return text;
  const auto file = storage::describe_file(sandbox, path);
  for (const auto& dataset : file.datasets)
    if (dataset.facts.name == ledger_dataset)
      return describe_score_file(base::from_bytes<storage::ScoreDescription>(ask("read_scores", base::to_bytes(path))),
                                 style);
  return describe_data_file(path, file, style);
}

std::string inspected_row(h5::Sandbox& sandbox, const std::string& path, u64 row, const run::TextStyle& style) {
  const auto scores =
      base::from_bytes<storage::ScoreDescription>(sandbox.call("read_scores", base::to_bytes(path), path));
  return describe_row(sandbox, scores, row, style);
}

class Inspect final : public Command {
 public:
  void setup(const Options& options) override {
    paths_ = options.operands();
    if (options.given("row")) row_ = parse_count("row", options.value("row"), 0);
  }

  int run(const Invocation& invocation) override {
    if (!invocation.root()) return 0;
    run::end_on_signals();
    h5::initialise();
    const run::TextStyle style = run::terminal_style(stdout);
    bool first = true;
    for (const auto& path : paths_) {
      auto functions = storage::storage_functions();
      functions["model_text"] = model_text;
      functions["read_scores"] = storage::read_scores_handler;
      functions["read_score_row"] = storage::read_score_row_handler;
      h5::Sandbox sandbox(functions, limits);  // one per file: a damaged one may end it
      if (!first) std::fputs("\n", stdout);
      const std::string text = row_ ? inspected_row(sandbox, path, *row_, style) : inspected(sandbox, path, style);
      std::fputs(text.c_str(), stdout);
      first = false;
    }
    return 0;
  }

 private:
  std::vector<std::string> paths_;
  std::optional<u64> row_;
};

}  // namespace

const CommandSpec& inspect_spec() {
  static const CommandSpec spec{
      "inspect",
      "",
      "show what a data, model or score file holds",
      "FILE...",
      "Shows what a file holds: of an HDF5 file with data its datasets and how a run would read them; of a model its "
      "stages, classes, features and whether it reproduces its golden rows here; of a score file its results, inputs "
      "and runs, and of an unfinished one (FILE.part) how much is done. With --row, one row of a score file: its "
      "input, "
      "its scores, and its features as the models read them.",
      {{"row", 0, OptionKind::value, "N", "explain row N of a score file, counted from 0"},
       {"help", 'h', OptionKind::flag, "", "print this page"}},
      "FILE",
      1,
      1000,
      "Examples:\n  h5score inspect data.h5\n  h5score inspect model.h5 scores.h5.part\n  h5score inspect scores.h5 "
      "--row 1234\n"};
  return spec;
}

std::unique_ptr<Command> make_inspect() {
  return std::make_unique<Inspect>();
}

}  // namespace h5score::cli
