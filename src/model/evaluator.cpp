// The evaluator of one precision: tile by tile it transposes the rows or multiplies them in place, runs the steps, then
// the head.
#include "h5score/model/evaluator.hpp"

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"

#include "buffer_plan.hpp"
#include "graph.hpp"
#include "head.hpp"
#include "kernels/dispatch.hpp"
#include "row_product.hpp"
#include "step.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

// A column of a full tile has 256 bytes, four registers of AVX-512: a block of the matrix product is the whole tile,
// and what it reads lies side by side. (Longer columns are read in pieces that share few cache sets: a third slower.)
// Narrow models have little to do per tile, so theirs are higher.
constexpr u64 kColumnBytes = 256;
constexpr u64 kMostRows = 256;
constexpr u64 kNarrowColumns = 40;
// The weights of wide layers come from beyond the L2 cache, once per tile: twice the rows are worth more than short
// columns (2048 x 2048: 1.3 times as fast in float32, 1.7 in float64), within a budget for features and what they
// become.
constexpr u64 kWideColumns = 2048;
constexpr u64 kSpillBytes = u64{2} << 20U;
constexpr u64 kLeastRows = 16;
constexpr u64 kLineBytes = base::AlignedBuffer::alignment;

template <class T>
constexpr u64 padded(u64 columns) {
  constexpr u64 line = kLineBytes / sizeof(T);
  return (columns + line - 1) / line * line;
}

/// Rows whose distance is a multiple of 1 KiB would share few cache sets when 16 of them are read side by side.
template <class T>
u64 stride_of(u64 features) {
  const u64 stride = padded<T>(features);
  return stride * sizeof(T) % 1024 == 0 ? stride + kLineBytes / sizeof(T) : stride;
}

template <class T>
u64 rows_for(u64 columns_at_once, bool rows_in_place) {
  if (rows_in_place && columns_at_once <= kNarrowColumns) return kMostRows;
  const u64 bytes_per_row = columns_at_once * sizeof(T);
  u64 rows = kColumnBytes / sizeof(T);
  if (columns_at_once >= kWideColumns && 2 * rows * bytes_per_row <= kSpillBytes) rows *= 2;
  while (rows > kLeastRows && rows * bytes_per_row > kSpillBytes) rows /= 2;
  return rows;
}

struct Buffers : Workspace {
  std::vector<base::AlignedBuffer> columns;  // feature-major: the tile and what it becomes
  base::AlignedBuffer scratch;
  base::AlignedBuffer marks;
  base::AlignedBuffer head;
  base::AlignedBuffer places;  // of the caller's columns
  base::u8 status[kMostRows] = {};
  u64 work_since_poll = 0;
};

/// The product that a model begins with, where nothing else reads the features; else null.
const Affine* first_product(const Graph& graph) {
  if (graph.stages.empty()) return nullptr;
  u64 readers = graph.output == 0 ? 1 : 0;
  for (const auto& inputs : graph.inputs) readers += static_cast<u64>(std::count(inputs.begin(), inputs.end(), 0U));
  if (readers != 1 || graph.inputs[0] != std::vector<u64>{0}) return nullptr;
  return std::get_if<Affine>(&graph.stages[0]);
}
template <class T>
std::optional<RowProduct<T>> in_place(const Affine* product) {
  if (product == nullptr || !RowProduct<T>::suits(*product)) return {};
  return RowProduct<T>(*product);
}

template <class T>
class TypedEvaluator final : public Evaluator {
 public:
  TypedEvaluator(const Model& model, const Graph& graph, Isa isa)
      : isa_(isa),
        tables_(kernels::tables(isa)),
        table_(kernels::table<T>(isa)),
        features_(model.n_features),
        stride_(stride_of<T>(features_)),
        marks_(std::any_of(graph.stages.begin(), graph.stages.end(),
                           [](const Stage& stage) { return std::holds_alternative<MarkMissing>(stage); })),
        in_place_(in_place<T>(first_product(graph))),
        sums_tell_(in_place_ || (first_product(graph) != nullptr && first_product(graph)->weights.cols < features_)),
        steps_(make_steps(graph)),
        plan_(plan(graph)),
        head_(model.head, node_widths(graph)[graph.output]),
        flops_(head_.flops()) {
    const u64 most = u64{1} << 24U;  // a tile of 16 rows of doubles has 2 GiB
    if (plan_.columns_at_once > most)
      throw base::Error(base::ExitCode::data,
                        "the model's branches have " + std::to_string(plan_.columns_at_once) + " columns at once",
                        "at most " + std::to_string(most) + " are supported");
    for (const auto& step : steps_) flops_ += step->flops();
    rows_ = rows_for<T>(plan_.columns_at_once, in_place_.has_value());
  }

  [[nodiscard]] Precision precision() const override {
    return sizeof(T) == sizeof(float) ? Precision::float32 : Precision::float64;
  }
  [[nodiscard]] Isa isa() const override { return isa_; }
  [[nodiscard]] u64 features() const override { return features_; }
  [[nodiscard]] u64 tile_rows() const override { return rows_; }
  [[nodiscard]] u64 input_stride() const override { return stride_; }
  [[nodiscard]] const std::vector<ResultColumn>& columns() const override { return head_.columns(); }
  [[nodiscard]] double flops_per_row() const override { return flops_; }
  [[nodiscard]] const std::vector<bool>& missing_matters() const override { return use_.exposed; }

  [[nodiscard]] std::unique_ptr<Workspace> make_workspace() const override {
    auto buffers = std::make_unique<Buffers>();
    for (const u64 width : plan_.widths) buffers->columns.emplace_back(rows_ * width * sizeof(T));
    u64 scratch = rows_ * sizeof(T);
    for (const auto& step : steps_) scratch = std::max(scratch, step->scratch_bytes(rows_));
    buffers->scratch.resize(scratch);
    buffers->marks.resize(rows_ * sizeof(T));
    buffers->head.resize(rows_ * head_.scratch_columns() * sizeof(T));
    return buffers;
  }

  void score(const std::byte* rows, u64 stride, u64 count, Workspace& workspace, const TileResults& results,
             const std::function<void()>& poll) const override {
    score_tiles(count, workspace, results, poll, [&](u64 begin, u64 height) {
      return Rows<T>{reinterpret_cast<const T*>(rows) + begin * stride, stride, height};
    });
  }
  void score_columns(const std::byte* const* columns, u64 first, u64 count, Workspace& workspace,
                     const TileResults& results, const std::function<void()>& poll) const override {
    auto& buffers = static_cast<Buffers&>(workspace);
    buffers.places.resize(features_ * sizeof(T*));
    auto* const places = reinterpret_cast<const T**>(buffers.places.data());
    for (u64 j = 0; j < features_; ++j) places[j] = reinterpret_cast<const T*>(columns[j]);
    score_tiles(count, workspace, results, poll, [&](u64 begin, u64 height) {
      return Columns<T>{places, first + begin, height};
    });
  }

 private:
  template <class Tile>
  void score_tiles(u64 count, Workspace& workspace, const TileResults& results, const std::function<void()>& poll,
                   const Tile& tile) const {
    auto& buffers = static_cast<Buffers&>(workspace);
    Meter meter(poll, table_.lanes, buffers.work_since_poll);
    for (u64 first = 0; first < count; first += rows_)
      score_tile(tile(first, std::min(rows_, count - first)), buffers, head_.behind(results, first), meter);
  }

  /// A short tile is filled up to a multiple of 16 rows.
  template <class Source>
  void score_tile(const Source& rows, Buffers& buffers, const TileResults& results, Meter& meter) const {
    const u64 height = (rows.count + kLeastRows - 1) / kLeastRows * kLeastRows;
    if (!in_place_) load(rows, height, buffers.columns[0].template as<T>(), meter);
    if (sums_tell_) run_first(rows, height, buffers, meter);
    bool all_ok = inspect(rows, height, buffers, meter);
    if (marks_) std::fill_n(buffers.marks.template as<T>(), height, T{0});
    for (u64 i = sums_tell_ ? 1 : 0; i < steps_.size(); ++i) run_step(i, height, buffers, meter);
    for (u64 i = 0; marks_ && i < rows.count; ++i)
      if (std::isnan(buffers.marks.template as<T>()[i])) {
        buffers.status[i] |= status_missing;
        all_ok = false;
      }
    head_.run({tables_, table_, height, rows.count, buffers.columns[plan_.output].template as<T>(),
               buffers.head.template as<T>(), buffers.status, all_ok, results, meter});
  }

  std::vector<std::unique_ptr<const Step<T>>> make_steps(const Graph& graph) {
    const std::vector<u64> node_width = node_widths(graph);
    std::vector<ColumnUse> uses = column_uses(graph);
    std::vector<std::unique_ptr<const Step<T>>> steps;
    for (u64 i = 0; i < graph.stages.size(); ++i) {
      std::vector<u64> widths;
      for (const u64 node : graph.inputs[i]) widths.push_back(node_width[node]);
      steps.push_back(make_step<T>(graph.stages[i], {widths, uses[i + 1].exposed, tables_}));
    }
    use_ = std::move(uses[0]);
    exposed_ = runs(use_.exposed);
    std::vector<bool> imputed = use_.read;
    for (u64 j = 0; j < features_; ++j)
      if (use_.exposed[j]) imputed[j] = false;
    imputed_ = runs(imputed);
    return steps;
  }

  BufferPlan plan(const Graph& graph) const {
    std::vector<StepShape> shapes;
    for (u64 i = 0; i < steps_.size(); ++i)
      shapes.push_back({graph.inputs[i], steps_[i]->output_width(), steps_[i]->in_place(), steps_[i]->spoils_input()});
    return plan_buffers(in_place_ ? 0 : features_, shapes, graph.output);
  }

  template <class Source>
  void run_first(const Source& rows, u64 height, Buffers& buffers, Meter& meter) const {
    if (!in_place_) return run_step(0, height, buffers, meter);
    in_place_->run(table_, rows, height, buffers.columns[plan_.steps[0].output].template as<T>(), meter);
  }

  void run_step(u64 i, u64 height, Buffers& buffers, Meter& meter) const {
    const Step<T>& step = *steps_[i];
    const StepBuffers& at = plan_.steps[i];
    const auto columns = [&](u64 buffer) { return buffers.columns[buffer].as<T>(); };
    if (at.copied_first) {
      const T* from = columns(*at.copied_first);
      T* to = columns(at.inputs[0]);
      for_columns(step.input_width(), height, meter, [&](u64 first, u64 count) {
        std::copy_n(from + first * height, count * height, to + first * height);
      });
    }
    std::vector<const T*> others;
    for (u64 k = 1; k < at.inputs.size(); ++k) others.push_back(columns(at.inputs[k]));
    step.run({tables_, height, columns(at.inputs[0]), others, columns(at.output), buffers.marks.as<T>(),
              buffers.scratch.data(), meter});
  }

  void load(const Rows<T>& rows, u64 height, T* columns, Meter& meter) const {
    for_columns(features_, height, meter, [&](u64 first, u64 count) {
      table_.transpose(rows.first, rows.stride, rows.count, height, first, first + count, columns);
    });
  }
  void load(const Columns<T>& rows, u64 height, T* columns, Meter& meter) const {
    for_columns(features_, height, meter, [&](u64 first, u64 count) {
      for (u64 j = first; j < first + count; ++j) {
        T* const end = std::copy_n(rows.column[j] + rows.first, rows.count, columns + j * height);
        std::fill(end, columns + (j + 1) * height, end[-1]);
      }
    });
  }

  /// Sets the input's status flags: a vector pass over what the model reads finds the rows, whose features are then
  /// looked at one by one. Where the model begins with a product, its few sums show what is not finite. Returns whether
  /// all rows are fine.
  template <class Source>
  bool inspect(const Source& rows, u64 height, Buffers& buffers, Meter& meter) const {
    T* mark = buffers.scratch.template as<T>();
    std::fill_n(mark, height, T{0});
    const auto look = [&](const T* columns, const std::vector<ColumnRange>& ranges, auto kernel) {
      for (const ColumnRange& range : ranges)
        for_columns(range.count, height, meter,
                    [&](u64 first, u64 count) { kernel(columns + (range.first + first) * height, count); });
    };
    const auto any = [&](const T* x, u64 count) {
      if (!table_.all_finite(x, height * count)) table_.mark_nonfinite(x, height, count, mark);
    };
    if (sums_tell_) {
      look(buffers.columns[plan_.steps[0].output].template as<T>(), {{0, steps_[0]->output_width()}}, any);
    } else {
      const T* features = buffers.columns[0].template as<T>();
      look(features, exposed_, any);
      look(features, imputed_, [&](const T* x, u64 count) { table_.mark_infinite(x, height, count, mark); });
    }
    return flag_marked(rows, mark, height, buffers, meter);
  }
  template <class Source>
  bool flag_marked(const Source& rows, const T* mark, u64 height, Buffers& buffers, Meter& meter) const {
    std::fill_n(buffers.status, rows.count, base::u8{status_ok});
    if (table_.all_finite(mark, height)) return true;
    for (u64 i = 0; i < rows.count; ++i) {
      if (!std::isnan(mark[i])) continue;
      buffers.status[i] = flags_of(rows, i);
      meter.spend(features_ * 8);
    }
    return false;
  }
  template <class Source>
  [[nodiscard]] base::u8 flags_of(const Source& rows, u64 row) const {
    base::u8 flags = status_ok;
    for (u64 j = 0; j < features_; ++j) {
      const T value = rows.at(row, j);
      if (std::isnan(value) && use_.exposed[j]) flags |= status_missing;
      if (std::isinf(value) && use_.read[j]) flags |= status_nonfinite;
    }
    return flags;
  }

  Isa isa_;
  const kernels::Tables& tables_;
  const kernels::Table<T>& table_;
  u64 features_;
  u64 stride_;
  ColumnUse use_;                          // of the features
  std::vector<ColumnRange> exposed_;       // features whose NaN makes a row missing
  std::vector<ColumnRange> imputed_;       // features that are read, but whose NaN is replaced
  bool marks_;                             // some stage marks values as missing
  std::optional<RowProduct<T>> in_place_;  // instead of the first step
  bool sums_tell_;                         // the first step is a product whose sums show which rows are not finite
  std::vector<std::unique_ptr<const Step<T>>> steps_;
  BufferPlan plan_;
  HeadEvaluator<T> head_;
  double flops_;
  u64 rows_ = kLeastRows;
};

}  // namespace

std::unique_ptr<const Evaluator> compile(const Model& model, const CompileOptions& options) {
  validate(model);
  const Isa isa = options.isa.value_or(best_isa());
  if (isa > best_isa())
    throw base::Error(base::ExitCode::internal, "no " + std::string(to_string(isa)) + " kernels",
                      "best here: " + std::string(to_string(best_isa())));
  const Precision precision = options.precision.value_or(model.precision);
  const Graph graph = simplify(model, precision);
  if (precision == Precision::float32) return std::make_unique<TypedEvaluator<float>>(model, graph, isa);
  return std::make_unique<TypedEvaluator<double>>(model, graph, isa);
}

const char* to_string(ResultKind kind) {
  switch (kind) {
    case ResultKind::prediction:
      return "prediction";
    case ResultKind::label:
      return "label";
    case ResultKind::probability:
      return "probability";
    case ResultKind::decision:
      return "decision";
    case ResultKind::status:
      return "status";
  }
  return "unknown";
}

}  // namespace h5score::model
