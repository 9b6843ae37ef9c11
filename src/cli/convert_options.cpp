// The options of `convert`: their table, and how text becomes ConvertOptions.
#include "convert_options.hpp"

#include "h5score/base/error.hpp"

#include "command.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;
using enum OptionKind;

constexpr const char* examples =
    R"(Examples:
  h5score convert svm-train.model -o svm.h5
  A scaler exported from scikit-learn and a Keras network as one model:
    h5score convert scaler.h5 net.json -o jets.h5 --classes g,q,w,z,t
  Counts of a single-cell matrix, prepared as scanpy does:
    h5score convert celltypes.h5 -o cells.h5 --feature-names genes.txt \
         --normalize-total 1e4 --log1p --clip :10
)";

std::vector<OptionSpec> option_table() {
  return {
      {"output", 'o', value, "FILE", "the model file to write"},
      {"overwrite", 0, flag, "", "replace an existing file"},
      {"feature-names", 0, value, "FILE",
       "names of the features: a text file, one a line, or a dataset of texts, FILE.h5:/dataset"},
      {"classes", 0, value, "LABELS",
       "class labels in the order of the outputs: g,q,w,z,t. Whole numbers become integer labels. Makes a network a "
       "classifier; one with a single output has two classes"},
      {"targets", 0, value, "NAMES", "names of the outputs of a regression"},
      {"missing-value", 0, value, "V", "values that mean missing, besides NaN: 99 or -9999,-99"},
      {"fill", 0, value, "NAME=V", "values in the place of missing ones: mag_u=27.8,mag_y=26.1"},
      {"normalize-total", 0, value, "N", "rows are first multiplied so that all columns of the source sum to N"},
      {"log1p", 0, flag, "", "then log(1 + x)"},
      {"clip", 0, value, "A:B",
       "then limit values, either end may be left out: :10. Where the model begins with a scaler, after that"},
      {"precision", 0, value, "TYPE", "what the model declares: float32 or float64 (default: as the last input does)"},
      {"reference", 0, value, "FILE",
       "store outputs of the original library, for the self-test of every run: .npz of arrays rows and any of "
       "prediction, decision, probability, label, and mean, stddev, minimum, maximum of the training data, or .npy of "
       "such records"},
      {"help", 'h', flag, "", "print this page"},
  };
}

// One argument each: more would swallow the models that follow.
std::vector<std::string> given(const Options& options, const std::string& name) {
  if (!options.given(name)) return {};
  return {options.value(name)};
}

double one_number(const Options& options, const std::string& name) {
  const auto numbers = parse_numbers(name, std::array{options.value(name)});
  if (numbers.size() != 1) throw Error(ExitCode::usage, fmt::format("--{}: one number expected", name));
  return numbers[0];
}

// "A:B"; an open end is the largest number that both precisions have.
std::pair<double, double> interval(const Options& options, const std::string& name) {
  const std::string text = options.value(name);
  const auto colon = text.find(':');
  const auto bound = [&](const std::string& part, double open) {
    if (part.empty()) return open;
    const auto numbers = parse_numbers(name, std::array{part});
    return numbers.size() == 1 ? numbers[0] : std::numeric_limits<double>::quiet_NaN();
  };
  constexpr double largest = std::numeric_limits<float>::max();
  if (colon != std::string::npos && text.size() > 1) {
    const std::pair limits{bound(text.substr(0, colon), -largest), bound(text.substr(colon + 1), largest)};
    if (limits.first <= limits.second) return limits;
  }
  throw Error(ExitCode::usage, fmt::format("--{}: '{}' is not valid", name, text), {},
              "expected A:B with A <= B, such as :10 or -10:10");
}

// Whole numbers where all are, else texts.
model::ClassLabels class_labels(const std::vector<std::string>& words) {
  std::vector<base::i64> numbers;
  for (const auto& word : words) {
    base::i64 number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return words;
    numbers.push_back(number);
  }
  return numbers;
}

void check_files(const ConvertOptions& convert) {
  check_output("output", convert.output, convert.inputs, "an input");
  std::vector<std::string> others;
  if (!convert.feature_names.empty()) others.push_back(convert.feature_names);
  if (!convert.reference.empty()) others.push_back(convert.reference);
  check_output("output", convert.output, others, "a file to read");
}

}  // namespace

const CommandSpec& convert_spec() {
  static const CommandSpec spec{
      "convert",
      "",
      "turn model files into one of the native format",
      "MODEL... -o FILE [options]",
      "Reads a model file of any supported format (docs/models.md) and writes it in the native HDF5 format, which "
      "loads "
      "faster and can carry feature names, class labels and golden rows. Several models are joined: each reads what "
      "the "
      "one before it gives. The written file is read back, compared and tested on its golden rows. scikit-learn models "
      "are exported by scripts/export_sklearn.py, PyTorch models by scripts/export_torch.py, in the Python that made "
      "them.",
      option_table(),
      "MODEL",
      1,
      100,
      examples};
  return spec;
}

ConvertOptions convert_options(const Options& options) {
  ConvertOptions convert;
  convert.inputs = options.operands();
  convert.output = options.value("output");
  convert.overwrite = options.flag("overwrite");
  convert.feature_names = options.value("feature-names");
  convert.reference = options.value("reference");
  if (convert.output.empty()) throw Error(ExitCode::usage, "--output is missing", {}, "say for example -o model.h5");
  format::Preparation& preparation = convert.preparation;
  if (options.given("classes")) {
    const auto words = split_commas(given(options, "classes"));
    if (words.size() < 2) throw Error(ExitCode::usage, "--classes: at least two labels expected");
    preparation.classes = class_labels(words);
  }
  preparation.targets = split_commas(given(options, "targets"));
  preparation.missing_values = parse_numbers("missing-value", given(options, "missing-value"));
  for (const auto& fill : parse_fills("fill", given(options, "fill")))
    preparation.fills.emplace_back(fill.name, fill.value);
  if (options.given("normalize-total")) {
    preparation.total_count = one_number(options, "normalize-total");
    if (!(*preparation.total_count > 0)) throw Error(ExitCode::usage, "--normalize-total: a number above 0 expected");
  }
  preparation.log1p = options.flag("log1p");
  if (options.given("clip")) preparation.clip = interval(options, "clip");
  if (options.given("precision")) {
    static const std::array<std::string, 2> names{"float32", "float64"};
    const auto chosen = parse_choice("precision", options.value("precision"), names);
    preparation.precision = chosen == 0 ? model::Precision::float32 : model::Precision::float64;
  }
  check_files(convert);
  return convert;
}

}  // namespace h5score::cli
