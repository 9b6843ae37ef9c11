// Single rows of the input, for messages and dry runs.
#include "job_input.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace h5score::run {

const storage::FileRecord& file_of(const storage::Input& input, u64 row) {
  const auto& files = input.files();
  const auto found = std::find_if(files.begin(), files.end(), [row](const storage::FileRecord& f) {
    return row >= f.first_row && row - f.first_row < f.rows;
  });
  if (found == files.end()) throw base::Error(base::ExitCode::internal, fmt::format("row {} lies in no input", row));
  return *found;
}

std::vector<double> read_rows(storage::Input& input, base::RowRange rows) {
  base::AlignedBuffer payload;
  input.fetch(rows, payload);
  const storage::Decoder decoder(input.format());
  storage::DecodedBlock block;
  decoder.open(payload.view(), block);
  std::vector<double> values(rows.size() * block.features());
  block.fill_tile(0, rows.size(), values.data(), block.features());
  return values;
}

void InputMissingFinder::report(u64 row) const {
  const auto& file = file_of(input_, row);
  const auto values = read_rows(input_, {row, row + 1});
  const auto first = static_cast<u64>(
      std::find_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }) - values.begin());
  std::string name = fmt::format("feature {}", first);
  for (const auto& m : models_)
    if (first < m.model.feature_names.size()) name += " (" + m.model.feature_names[first] + ")";
  throw base::Error(base::ExitCode::data,
                    fmt::format("{}: {}: row {}: a value is missing", file.path, file.dataset,
                                row - file.first_row + file.dataset_row),
                    name, "score it with --missing mark, or give the model an imputer");
}

}  // namespace h5score::run
