// Test tool: scores the rows of an HDF5 file with any model file, through the same calls as the engine, so that python
// tests can compare with the library that made the model.
//   format_score_rows score MODEL ROWS.h5 OUT.h5    ROWS.h5 holds `rows` (n x features); OUT.h5 gets one dataset per
//   result format_score_rows copy  MODEL OUT.h5            reads any format, writes the native one
// Exit codes and messages are those of base::Error.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/model/evaluator.hpp"

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace h5score;
using base::u64;

template <class T>
std::vector<double> widen(const base::Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

std::vector<double> as_doubles(const base::Bytes& bytes, const base::ElementType& type) {
  if (type.kind == base::ElementKind::floating) return type.size == 4 ? widen<float>(bytes) : widen<double>(bytes);
  return type.size == 1 ? widen<base::u8>(bytes) : widen<std::int32_t>(bytes);
}

void score(const std::string& model_path, const std::string& rows_path, const std::string& out_path) {
  const model::Model model = format::load_model(model_path);
  const auto evaluator = model::compile(model);
  const h5::Handle input = h5::open_file(rows_path);
  const h5::Handle dataset = h5::open_dataset(input, "rows");
  const u64 rows = h5::shape_of(dataset)[0];
  const auto values = h5::read_doubles(dataset, u64{1} << 28);
  if (values.size() != rows * model.n_features)
    throw base::Error(base::ExitCode::usage, "the rows do not fit the model");
  const auto results = model::score_rows(*evaluator, values.data(), rows);
  h5::Handle out = h5::create_file(out_path);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& column = evaluator->columns()[i];
    h5::write_doubles(out, model::to_string(column.kind), {rows, column.width}, as_doubles(results[i], column.type));
  }
  const auto test = model::self_test(model, *evaluator);
  h5::write_attribute(out, "golden_rows", base::narrow<base::i64>(test.rows));
  h5::write_attribute(out, "golden_max_difference", test.max_difference);
  h5::write_attribute(out, "golden_passed", base::i64{test.passed});
  h5::write_attribute(out, "precision", std::string(model::to_string(evaluator->precision())));
  h5::write_attribute(out, "description", model::describe(model));
  out.close(out_path + ": cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 4 && arguments[0] == "score") {
      score(arguments[1], arguments[2], arguments[3]);
    } else if (arguments.size() == 3 && arguments[0] == "copy") {
      format::save_model(arguments[2], format::load_model(arguments[1]));
    } else {
      throw base::Error(base::ExitCode::usage, "usage: format_score_rows score MODEL ROWS OUT | copy MODEL OUT");
    }
  } catch (const base::Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.code());
  }
  return 0;
}
