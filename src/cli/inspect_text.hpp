// What `inspect` says of each kind of file.
#pragma once

#include "h5score/h5/sandbox.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/run/text.hpp"
#include "h5score/storage/name_node.hpp"
#include "h5score/storage/score_description.hpp"

#include <string>
#include <vector>

namespace h5score::cli {

/// Compiles the model and scores its golden rows, so: through the sandbox where the file may be hostile.
std::string describe_model_file(const std::string& path, const model::Model& model, const run::TextStyle& style);
std::string describe_data_file(const std::string& path, const storage::FileDescription& file,
                               const run::TextStyle& style);
std::string describe_score_file(const storage::ScoreDescription& scores, const run::TextStyle& style);
/// One row of it, with its features where the input is still there. `sandbox` serves the functions of inputs,
/// "read_scores" and "read_score_row".
std::string describe_row(h5::Sandbox& sandbox, const storage::ScoreDescription& scores, base::u64 row,
                         const run::TextStyle& style);

/// "256 rows, self-test passed: max diff 1e-07 (tolerance 0.0001)", of the model's golden rows.
std::string self_test_text(const model::Model& model, const model::Evaluator& evaluator);
/// "70000 x 28 x 28"; "scalar" without extents.
std::string shape_text(const std::vector<base::u64>& shape);
/// "a, b, c, ... 781 more ..., y, z" in at most `width` columns.
std::string list_text(const std::vector<std::string>& words, base::u64 width);

}  // namespace h5score::cli
