// What summaries and dry runs say of features that look unlike the training data.
#pragma once

#include "h5score/run/report.hpp"
#include "h5score/run/text.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// A headline and at most eleven lines, the worst features of all models first; empty where nothing is worth a word.
std::string feature_warnings(const RunReport& report, const TextStyle& style);
/// The same for one model in a dry run.
std::string feature_warnings(const std::vector<FeatureReport>& features, u64 rows, const TextStyle& style);

}  // namespace h5score::run
