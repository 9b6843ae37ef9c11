// `h5score convert`: model files of any format to one of the native format.
#include "h5score/format/convert.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/run/stop.hpp"

#include "command.hpp"
#include "convert_options.hpp"
#include "inspect_text.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;

template <class T, T (*function)(const std::string&)>
base::Bytes on_path(base::ByteView request) {
  return base::to_bytes(function(base::from_bytes<std::string>(request)));
}

// Whatever reads files of others.
class Files {
 public:
  model::Model model(const std::string& path) { return ask<model::Model>("model", path); }
  format::Reference reference(const std::string& path) { return ask<format::Reference>("reference", path); }
  std::vector<std::string> names(const std::string& source) { return ask<std::vector<std::string>>("names", source); }

 private:
  template <class T>
  T ask(const char* function, const std::string& path) {
    return base::from_bytes<T>(sandbox_.call(function, base::to_bytes(path), path));
  }
  h5::Sandbox sandbox_{{{"model", on_path<model::Model, format::load_model>},
                        {"reference", on_path<format::Reference, format::read_reference>},
                        {"names", on_path<std::vector<std::string>, format::read_names>}}};
};

// Compiles the model and scores its golden rows; throws where that fails.
std::string tested(const std::string& path, const model::Model& model) {
  const auto evaluator = model::compile(model);
  const std::string text = self_test_text(model, *evaluator);
  if (!model::self_test(model, *evaluator).passed)
    throw Error(ExitCode::data, path + ": the model does not give the outputs stored with it", text,
                "compare the layers and the preparation with the original");
  return text;
}

class Convert final : public Command {
 public:
  void setup(const Options& options) override { options_ = convert_options(options); }

  int run(const Invocation& invocation) override {
    if (!invocation.root()) return 0;
    run::end_on_signals();
    h5::initialise();
    const std::string& output = options_.output;
    std::error_code unreadable;  // then creating it says why
    if (!options_.overwrite && std::filesystem::exists(output, unreadable))
      throw Error(ExitCode::cant_create, output + ": exists already", {}, "add --overwrite to replace it");
    Files files;
    std::vector<std::string> notes;
    const model::Model model = made(files, notes);
    tested(output, model);
    format::save_model(output, model);
    const model::Model written = files.model(output);
    if (model::model_hash(written) != model::model_hash(model))
      throw Error(ExitCode::internal, output + ": the written model differs from the one read", {},
                  "do not use it, and please report it");
    fmt::print("{}: {}\n", output, model::describe(written));
    for (const auto& note : notes) fmt::print("  {}\n", note);
    fmt::print("  golden rows: {}\n", tested(output, written));
    return 0;
  }

 private:
  model::Model made(Files& files, std::vector<std::string>& notes) {
    std::vector<format::Part> parts;
    for (const auto& path : options_.inputs) {
      parts.push_back({path, files.model(path)});
      if (options_.inputs.size() > 1) notes.push_back(fmt::format("{}: {}", path, model::describe(parts.back().model)));
    }
    model::Model model = format::join(std::move(parts), notes);
    format::Preparation preparation = options_.preparation;
    if (!options_.feature_names.empty()) preparation.feature_names = files.names(options_.feature_names);
    try {
      format::prepare(model, preparation, notes);
      if (!options_.reference.empty()) format::set_reference(model, files.reference(options_.reference), notes);
      model::validate(model);
    } catch (const Error& e) {
      const std::string_view said = e.what();
      const bool names_file = !options_.reference.empty() && said.starts_with(options_.reference);
      throw names_file ? e : e.in(options_.inputs.back());
    }
    return model;
  }

  ConvertOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_convert() {
  return std::make_unique<Convert>();
}

}  // namespace h5score::cli
