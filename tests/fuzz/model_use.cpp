// Rows with ordinary and with extreme numbers.
#include "model_use.hpp"

#include "h5score/model/evaluator.hpp"

#include <limits>

namespace h5score::fuzz {

void use_model(const model::Model& model) {
  constexpr base::u64 most_features = 4096;
  constexpr double most_flops = 1e7;
  if (model.n_features == 0 || model.n_features > most_features) return;
  const auto evaluator = model::compile(model);
  if (evaluator->flops_per_row() > most_flops) return;
  constexpr base::u64 rows = 3;
  std::vector<double> values(rows * model.n_features, 0.5);
  values.back() = std::numeric_limits<double>::quiet_NaN();
  values[model.n_features] = 1e308;
  static_cast<void>(model::score_rows(*evaluator, values.data(), rows));
  if (model.golden) static_cast<void>(model::self_test(model, *evaluator));
}

}  // namespace h5score::fuzz
