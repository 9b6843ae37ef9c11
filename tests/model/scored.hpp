// Small models scored in one go, their results by kind.
#pragma once

#include "h5score/model/evaluator.hpp"

#include <cstring>
#include <utility>
#include <vector>

namespace h5score::model::testing {

/// A model without stages: the head sees the features themselves.
inline Model bare(u64 width, Head head) {
  Model m;
  m.n_features = width;
  m.head = std::move(head);
  return m;
}

struct Results {
  std::vector<double> prediction, probability, decision;
  std::vector<std::int32_t> label;
  std::vector<base::u8> status;
};
template <class T>
std::vector<T> read(const base::Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
inline std::vector<double> read_floating(const ResultColumn& column, const base::Bytes& bytes) {
  if (column.type.size == sizeof(double)) return read<double>(bytes);
  const std::vector<float> single = read<float>(bytes);
  return {single.begin(), single.end()};
}
inline Results score(const Model& model, const std::vector<double>& rows, const CompileOptions& options = {}) {
  const auto e = compile(model, options);
  const auto bytes = score_rows(*e, rows.data(), rows.size() / model.n_features);
  Results r;
  for (u64 i = 0; i < bytes.size(); ++i) {
    switch (e->columns()[i].kind) {
      case ResultKind::prediction:
        r.prediction = read_floating(e->columns()[i], bytes[i]);
        break;
      case ResultKind::probability:
        r.probability = read_floating(e->columns()[i], bytes[i]);
        break;
      case ResultKind::decision:
        r.decision = read_floating(e->columns()[i], bytes[i]);
        break;
      case ResultKind::label:
        r.label = read<std::int32_t>(bytes[i]);
        break;
      case ResultKind::status:
        r.status = read<base::u8>(bytes[i]);
        break;
    }
  }
  return r;
}

}  // namespace h5score::model::testing
