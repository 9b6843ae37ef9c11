// `h5score convert`: any model file to the native format.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/stop.hpp"

#include "command.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;

base::Bytes load(base::ByteView request) {
  return base::to_bytes(format::load_model(base::from_bytes<std::string>(request)));
}

class Convert final : public Command {
 public:
  void setup(const Options& options) override {
    input_ = options.operands().front();
    output_ = options.value("output");
    overwrite_ = options.flag("overwrite");
    if (output_.empty()) throw Error(ExitCode::usage, "--output is missing", {}, "say for example -o model.h5");
    check_output("output", output_, std::array{input_}, "the input");
  }

  int run(const Invocation& invocation) override {
    if (!invocation.root()) return 0;
    run::end_on_signals();
    h5::initialise();
    std::error_code unreadable;  // then creating it says why
    if (!overwrite_ && std::filesystem::exists(output_, unreadable))
      throw Error(ExitCode::cant_create, output_ + ": exists already", {}, "add --overwrite to replace it");
    h5::Sandbox sandbox({{"load", load}});
    const auto ask = [&](const std::string& path) {
      return base::from_bytes<model::Model>(sandbox.call("load", base::to_bytes(path), path));
    };
    const model::Model model = ask(input_);
    format::save_model(output_, model);
    if (model::model_hash(ask(output_)) != model::model_hash(model))
      throw Error(ExitCode::internal, output_ + ": the written model differs from the one read", {},
                  "do not use it, and please report it");
    fmt::print("{}: {}\n", output_, model::describe(model));
    return 0;
  }

 private:
  std::string input_;
  std::string output_;
  bool overwrite_ = false;
};

}  // namespace

const CommandSpec& convert_spec() {
  static const CommandSpec spec{
      "convert",
      "",
      "turn a model file into the native format",
      "MODEL -o FILE",
      "Reads a model file of any supported format and writes it in the native HDF5 format (docs/model-format.md), "
      "which "
      "loads faster and can carry feature names and golden rows. The written file is read back and compared. "
      "scikit-learn models are exported by scripts/export_sklearn.py instead, in the Python that made them.",
      {{"output", 'o', OptionKind::value, "FILE", "the model file to write"},
       {"overwrite", 0, OptionKind::flag, "", "replace an existing file"},
       {"help", 'h', OptionKind::flag, "", "print this page"}},
      "MODEL",
      1,
      1,
      "Example:\n  h5score convert svm-train.model -o svm.h5\n"};
  return spec;
}

std::unique_ptr<Command> make_convert() {
  return std::make_unique<Convert>();
}

}  // namespace h5score::cli
