// The packed matrix product against Eigen, an independent implementation.
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/model/evaluator.hpp"

#include "model/packed_matrix.hpp"

#include <Eigen/Core>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace h5score::model {
namespace {

struct Shape {
  u64 rows, depth, columns;
};

const kernels::Table<double>& table_of(const kernels::Tables& tables, double) {
  return tables.wide;
}
const kernels::Table<float>& table_of(const kernels::Tables& tables, float) {
  return tables.single;
}

std::vector<const kernels::Tables*> runnable_tables() {
  std::vector<const kernels::Tables*> tables{&kernels::baseline_tables};
#if H5SCORE_HAS_X86_KERNELS
  if (best_isa() >= Isa::avx2) tables.push_back(&kernels::avx2_tables);
  if (best_isa() >= Isa::avx512) tables.push_back(&kernels::avx512_tables);
#endif
  return tables;
}

template <class T>
void expect_equals_eigen(const kernels::Table<T>& table, const Shape& shape) {
  using Tile = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
  std::mt19937 random(static_cast<unsigned>(shape.rows + 7 * shape.depth + 31 * shape.columns));
  std::normal_distribution<double> normal;
  const auto fill = [&](u64 rows, u64 columns) {
    Tile m(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
    for (auto& value : m.reshaped()) value = static_cast<T>(normal(random));
    return m;
  };
  const Tile a = fill(shape.rows, shape.depth);
  const Tile w = fill(shape.depth, shape.columns);
  const Tile bias = fill(1, shape.columns);

  const PackedMatrix<T> packed(shape.depth, shape.columns, [&](u64 k, u64 j) {
    return static_cast<double>(w(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(j)));
  });
  base::AlignedBuffer input(shape.rows * shape.depth * sizeof(T));
  base::AlignedBuffer output(shape.rows * shape.columns * sizeof(T));
  std::copy(a.data(), a.data() + a.size(), input.as<T>());
  const std::function<void()> no_poll;
  u64 spent = 0;
  Meter meter(no_poll, table.lanes, spent);
  packed.multiply(table, shape.rows, input.as<T>(), 0, shape.columns, output.as<T>(), bias.data(), Form::product,
                  meter);

  const Eigen::MatrixXd exact =
      (a.template cast<double>() * w.template cast<double>()).rowwise() + bias.template cast<double>().row(0);
  const Eigen::MatrixXd scale = a.template cast<double>().cwiseAbs() * w.template cast<double>().cwiseAbs();
  const double epsilon = std::numeric_limits<T>::epsilon() * (4 + std::sqrt(static_cast<double>(shape.depth)));
  const Eigen::Map<const Tile> ours(output.as<T>(), exact.rows(), exact.cols());
  for (Eigen::Index i = 0; i < exact.rows(); ++i)
    for (Eigen::Index j = 0; j < exact.cols(); ++j)
      ASSERT_NEAR(static_cast<double>(ours(i, j)), exact(i, j), epsilon * (1 + scale(i, j)))
          << "row " << i << ", column " << j << " of " << shape.rows << " x " << shape.depth << " x " << shape.columns;
}

TEST(PackedMatrix, MultipliesAsEigenDoes) {
  for (const auto* tables : runnable_tables())
    for (const u64 rows : {16U, 64U, 256U})
      for (const u64 depth : {1U, 3U, 255U, 256U, 257U, 784U})
        for (const u64 columns : {1U, 5U, 6U, 7U, 45U, 128U}) {
          expect_equals_eigen(table_of(*tables, double{}), {rows, depth, columns});
          expect_equals_eigen(table_of(*tables, float{}), {rows, depth, columns});
        }
}

}  // namespace
}  // namespace h5score::model
