// Micro-benchmarks of evaluation on one core: whole models on rows that lie in the cache, and the dense layers' matrix
// product against oneDNN (where it was found) and Eigen.
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/model/evaluator.hpp"

#include "model/kernels/dispatch.hpp"
#include "model/models.hpp"
#include "model/packed_matrix.hpp"

#include <Eigen/Core>
#include <benchmark/benchmark.h>
#if H5SCORE_BENCH_DNNL
#include <dnnl.h>
#endif

#include <algorithm>
#include <string>

namespace h5score::model {
namespace {

using testing::affine;
using testing::Random;

Model make(u64 features, std::vector<Stage> stages, Head head) {
  Model model;
  model.n_features = features;
  model.stages = std::move(stages);
  model.head = std::move(head);
  return model;
}

Model linear(u64 features) {
  Random random(1);
  return make(features, {affine(random, features, 1)}, {});
}
Model logistic(u64 classes) {
  Random random(2);
  const bool binary = classes == 2;
  return make(
      100, {affine(random, 100, binary ? 1 : classes)},
      testing::head(binary ? HeadKind::binary : HeadKind::multiclass, binary ? Link::sigmoid : Link::softmax, classes));
}
Model perceptron() {
  Random random(3);
  const Activation relu{ActivationKind::relu, 0};
  return make(100, {affine(random, 100, 256), relu, affine(random, 256, 128), relu, affine(random, 128, 10), Softmax{}},
              testing::head(HeadKind::multiclass, Link::identity, 10));
}
Model wide_layer(u64 width) {
  Random random(7);
  return make(width, {affine(random, width, width)}, {});
}
Model machine(KernelKind kind, u64 outputs) {
  Random random(4);
  return make(100, {testing::expansion(random, kind, 1978, 100, outputs)},
              outputs == 1 ? testing::head(HeadKind::binary, Link::none, 2)
                           : testing::head(HeadKind::one_vs_one, Link::none, 4));
}

/// Time per row; the rows fill 256 KiB, so that they come from the L2 cache (there are at least 128).
void score_model(benchmark::State& state, const Model& model, Precision precision) {
  const auto evaluator = compile(model, {precision, {}});
  const u64 element = precision == Precision::float32 ? sizeof(float) : sizeof(double);
  const u64 features = model.n_features;
  const u64 rows = std::max<u64>(128, (u64{256} << 10U) / (features * element));
  Random random(5);
  base::AlignedBuffer input(rows * features * element);
  for (u64 i = 0; i < rows * features; ++i) {
    const double value = random.uniform(-1, 1);
    if (precision == Precision::float32)
      input.as<float>()[i] = static_cast<float>(value);
    else
      input.as<double>()[i] = value;
  }
  std::vector<base::Bytes> out;
  TileResults results;
  std::byte** const places[] = {&results.prediction, &results.label, &results.probability, &results.decision,
                                &results.status};
  for (const ResultColumn& column : evaluator->columns())
    if (column.kind != ResultKind::decision || model.head.link == Link::none)
      *places[static_cast<u64>(column.kind)] = out.emplace_back(rows * column.row_bytes()).data();
  const auto workspace = evaluator->make_workspace();
  const std::function<void()> no_poll;
  for (auto _ : state) evaluator->score(input.data(), features, rows, *workspace, results, no_poll);
  const double total = static_cast<double>(state.iterations()) * static_cast<double>(rows);
  state.counters["ns/row"] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["FLOP/s"] = benchmark::Counter(total * evaluator->flops_per_row(), benchmark::Counter::kIsRate);
}

struct Shape {
  u64 rows, depth, columns;
};
constexpr Shape kShapes[] = {{64, 100, 256}, {64, 256, 128}};

void count_flops(benchmark::State& state, const Shape& s) {
  state.counters["FLOP/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * 2 * static_cast<double>(s.rows * s.depth * s.columns),
      benchmark::Counter::kIsRate);
}

/// Random operands of a product, the same for every library.
template <class T>
struct Operands {
  explicit Operands(const Shape& s)
      : a(s.rows * s.depth * sizeof(T)), w(s.depth * s.columns * sizeof(T)), c(s.rows * s.columns * sizeof(T)) {
    Random random(6);
    for (u64 i = 0; i < s.rows * s.depth; ++i) a.as<T>()[i] = static_cast<T>(random.uniform(-1, 1));
    for (u64 i = 0; i < s.depth * s.columns; ++i) w.as<T>()[i] = static_cast<T>(random.uniform(-1, 1));
  }
  base::AlignedBuffer a, w, c;
};

template <class T>
void own_product(benchmark::State& state, const Shape& s) {
  Operands<T> o(s);
  const PackedMatrix<T> packed(
      s.depth, s.columns, [&](u64 k, u64 j) { return static_cast<double>(o.w.template as<T>()[k * s.columns + j]); });
  const std::vector<T> bias(s.columns);
  const std::function<void()> no_poll;
  u64 spent = 0;
  const auto& table = kernels::table<T>(best_isa());
  Meter meter(no_poll, table.lanes, spent);
  for (auto _ : state) {
    packed.multiply(table, s.rows, o.a.template as<T>(), 0, s.columns, o.c.template as<T>(), bias.data(), Form::product,
                    meter);
    benchmark::ClobberMemory();
  }
  count_flops(state, s);
}

template <class T>
void eigen_product(benchmark::State& state, const Shape& s) {
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Operands<T> o(s);
  const auto index = [](u64 n) { return static_cast<Eigen::Index>(n); };
  const Eigen::Map<const RowMajor> a(o.a.template as<T>(), index(s.rows), index(s.depth));
  const Eigen::Map<const RowMajor> w(o.w.template as<T>(), index(s.depth), index(s.columns));
  Eigen::Map<RowMajor> c(o.c.template as<T>(), index(s.rows), index(s.columns));
  for (auto _ : state) {
    c.noalias() = a * w;
    benchmark::ClobberMemory();
  }
  count_flops(state, s);
}

#if H5SCORE_BENCH_DNNL
void dnnl_product(benchmark::State& state, const Shape& s) {
  Operands<float> o(s);
  const auto size = [](u64 n) { return static_cast<dnnl_dim_t>(n); };
  for (auto _ : state) {
    dnnl_sgemm('N', 'N', size(s.rows), size(s.columns), size(s.depth), 1, o.a.as<float>(), size(s.depth),
               o.w.as<float>(), size(s.columns), 0, o.c.as<float>(), size(s.columns));
    benchmark::ClobberMemory();
  }
  count_flops(state, s);
}
#endif

void add_model(const std::string& name, const Model& model) {
  for (const Precision precision : {Precision::float32, Precision::float64})
    benchmark::RegisterBenchmark(("score/" + name + "/" + to_string(precision)).c_str(),
                                 [model, precision](benchmark::State& state) { score_model(state, model, precision); });
}

void add_products() {
  const auto add = [](const std::string& name, const Shape& s, auto function) {
    const std::string shape = std::to_string(s.rows) + "x" + std::to_string(s.depth) + "x" + std::to_string(s.columns);
    benchmark::RegisterBenchmark(("product/" + name + "/" + shape).c_str(),
                                 [s, function](benchmark::State& state) { function(state, s); });
  };
  for (const Shape& s : kShapes) {
    add("own float32", s, own_product<float>);
    add("Eigen float32", s, eigen_product<float>);
#if H5SCORE_BENCH_DNNL
    add("oneDNN float32", s, dnnl_product);
#endif
    add("own float64", s, own_product<double>);
    add("Eigen float64", s, eigen_product<double>);
  }
}

void add_all() {
  add_products();
  add_model("linear 100", linear(100));
  add_model("linear 30", linear(30));
  add_model("logistic 2", logistic(2));
  add_model("logistic 10", logistic(10));
  add_model("perceptron 100-256-128-10", perceptron());
  add_model("dense 2048-2048", wide_layer(2048));
  add_model("rbf 1978", machine(KernelKind::rbf, 1));
  add_model("rbf 1978, 6 outputs", machine(KernelKind::rbf, 6));
  add_model("polynomial 1978", machine(KernelKind::polynomial, 1));
}

}  // namespace
}  // namespace h5score::model

int main(int argc, char** argv) {
  h5score::model::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
