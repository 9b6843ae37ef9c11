// Scoring outside the engine: a few rows in one go, the golden rows, the probe tile.
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/model/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace h5score::model {
namespace {

TileResults results_at(const Evaluator& evaluator, std::vector<base::Bytes>& out) {
  TileResults results;
  for (u64 i = 0; i < out.size(); ++i) {
    const ResultColumn& column = evaluator.columns()[i];
    std::byte* at = out[i].data();
    switch (column.kind) {
      case ResultKind::prediction:
        results.prediction = at;
        break;
      case ResultKind::label:
        results.label = at;
        break;
      case ResultKind::probability:
        results.probability = at;
        break;
      case ResultKind::decision:
        results.decision = at;
        break;
      case ResultKind::status:
        results.status = at;
        break;
    }
  }
  return results;
}

/// Floating results of one column as double, labels too.
std::vector<double> as_doubles(const ResultColumn& column, const base::Bytes& bytes) {
  std::vector<double> values(bytes.size() / column.type.size);
  const auto read = [&](auto sample) {
    for (u64 i = 0; i < values.size(); ++i) {
      std::memcpy(&sample, bytes.data() + i * sizeof sample, sizeof sample);
      values[i] = static_cast<double>(sample);
    }
  };
  if (column.type.kind == base::ElementKind::signed_integer) {
    read(std::int32_t{});
  } else if (column.type.size == sizeof(float)) {
    read(float{});
  } else {
    read(double{});
  }
  return values;
}

double difference(const std::vector<double>& ours, const std::vector<double>& theirs) {
  double worst = 0;
  for (u64 i = 0; i < theirs.size(); ++i) {
    if (std::isnan(ours[i]) && std::isnan(theirs[i])) continue;
    const double d = std::abs(ours[i] - theirs[i]) / std::max(1.0, std::abs(theirs[i]));
    worst = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(worst, d);
  }
  return worst;
}

/// Whether the values that decide a row's label tie within the tolerance, so that rounding may decide it either way.
bool ties(const Model& model, const double* deciding, u64 width, double tolerance) {
  const HeadKind kind = model.head.kind;
  const double threshold = model.head.link == Link::identity ? 0.5 : 0;
  const bool largest_wins =
      kind == HeadKind::multiclass || model.head.label_by_probability || (model.head.decision_ovr && width > 1);
  const auto slack = [&](double v) { return tolerance * std::max(1.0, std::abs(v)); };
  if (!largest_wins)
    return std::any_of(deciding, deciding + width, [&](double v) { return std::abs(v - threshold) <= slack(v); });
  std::vector<double> sorted(deciding, deciding + width);
  std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end(), std::greater<>());
  return sorted[0] - sorted[1] <= slack(sorted[0]);
}

struct Scored {
  std::vector<double> values[5];
  u64 widths[5] = {};
};

u64 count_mismatches(const Model& model, const Scored& ours, double tolerance) {
  const std::vector<base::i64>& theirs = model.golden->label_codes;
  const auto label = static_cast<u64>(ResultKind::label);
  // with label_by_probability the most probable class decides, else the decision values; binary p0, p1 tie at 0.5 both
  const bool by_probability = model.head.label_by_probability || model.head.link == Link::identity;
  const auto kind = static_cast<u64>(by_probability ? ResultKind::probability : ResultKind::decision);
  u64 mismatches = 0;
  for (u64 i = 0; i < theirs.size(); ++i) {
    if (static_cast<double>(theirs[i]) == ours.values[label][i]) continue;
    const u64 row = i / ours.widths[label];
    const u64 width = ours.widths[kind];
    if (!ties(model, ours.values[kind].data() + row * width, width, tolerance)) ++mismatches;
  }
  return mismatches;
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
u64 next_random(u64& state) {
  u64 z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

}  // namespace

std::vector<base::Bytes> score_rows(const Evaluator& evaluator, const double* rows, u64 n) {
  std::vector<base::Bytes> out;
  for (const ResultColumn& column : evaluator.columns()) out.emplace_back(base::checked_mul(n, column.row_bytes()));
  const TileResults results = results_at(evaluator, out);
  const auto workspace = evaluator.make_workspace();
  const u64 stride = evaluator.features();
  if (evaluator.precision() == Precision::float64) {
    evaluator.score(reinterpret_cast<const std::byte*>(rows), stride, n, *workspace, results, {});
  } else {
    std::vector<float> narrowed(n * stride);
    std::transform(rows, rows + narrowed.size(), narrowed.begin(), [](double v) { return static_cast<float>(v); });
    evaluator.score(reinterpret_cast<const std::byte*>(narrowed.data()), stride, n, *workspace, results, {});
  }
  return out;
}

SelfTest self_test(const Model& model, const Evaluator& evaluator) {
  SelfTest test;
  // Golden rows of a float32 model were computed in float32: no evaluation comes closer to them than that.
  const bool wide = evaluator.precision() == Precision::float64 && model.precision == Precision::float64;
  test.tolerance = wide ? 1e-9 : 1e-4;
  if (!model.golden) return test;
  const GoldenRows& golden = *model.golden;
  test.rows = golden.rows.rows;
  const std::vector<base::Bytes> bytes = score_rows(evaluator, golden.rows.values.data(), test.rows);
  Scored ours;
  for (u64 i = 0; i < bytes.size(); ++i) {
    const ResultColumn& column = evaluator.columns()[i];
    if (column.kind == ResultKind::status) continue;
    ours.values[static_cast<u64>(column.kind)] = as_doubles(column, bytes[i]);
    ours.widths[static_cast<u64>(column.kind)] = column.width;
  }
  const auto compare = [&](ResultKind kind, const Matrix& theirs) {
    test.max_difference = std::max(test.max_difference, difference(ours.values[static_cast<u64>(kind)], theirs.values));
  };
  compare(ResultKind::prediction, golden.prediction);
  compare(ResultKind::decision, golden.decision);
  compare(ResultKind::probability, golden.probability);
  test.label_mismatches = count_mismatches(model, ours, test.tolerance);
  test.passed = test.max_difference <= test.tolerance && test.label_mismatches == 0;
  return test;
}

base::u32 probe(const Evaluator& evaluator) {
  const u64 rows = evaluator.tile_rows();
  std::vector<double> values(rows * evaluator.features());
  u64 state = 0;
  static constexpr double scales[] = {1, 0.01, 30, 255};  // standardised, tiny and pixel-like features
  for (u64 i = 0; i < values.size(); ++i) {
    const double unit = static_cast<double>(next_random(state) >> 11U) * 0x1p-53;
    const double scale = scales[i / evaluator.features() % 4];
    values[i] = scale == 255 ? unit * scale : (2 * unit - 1) * scale;
  }
  base::u32 crc = 0;
  for (const base::Bytes& bytes : score_rows(evaluator, values.data(), rows)) crc = base::crc32(bytes, crc);
  return crc;
}

}  // namespace h5score::model
