// Writes a small linear model, reads it back as a user would read his own, and scores two rows.
#include "h5score/format/format.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/model/model.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>

int main(int argc, char** argv) try {
  namespace model = h5score::model;
  if (argc != 2) {
    std::fprintf(stderr, "usage: consumer MODEL.h5\n");
    return 64;
  }
  model::Model line;  // y = 2 a - b + 0.5
  line.n_features = 2;
  line.stages.emplace_back(model::Affine{{2, 1, {2.0, -1.0}}, {0.5}});
  line.feature_names = {"a", "b"};
  h5score::format::save_model(argv[1], line);

  const auto evaluator = model::compile(h5score::format::load_model(argv[1]));
  const double rows[] = {3.0, 1.0, -1.0, 4.0};
  const auto results = model::score_rows(*evaluator, rows, 2);
  double prediction[2];
  if (results.at(0).size() != sizeof prediction) {
    std::fprintf(stderr, "unexpected result size %zu\n", results.at(0).size());
    return 1;
  }
  std::memcpy(prediction, results.at(0).data(), sizeof prediction);
  std::printf("predictions: %g %g\n", prediction[0], prediction[1]);
  return std::abs(prediction[0] - 5.5) < 1e-12 && std::abs(prediction[1] + 5.5) < 1e-12 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "consumer: %s\n", error.what());
  return 1;
}
