// The evaluator of one precision: transposes a tile, runs the steps, then the head.
#include "h5score/model/evaluator.hpp"

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"

#include "head.hpp"
#include "kernels/dispatch.hpp"
#include "step.hpp"

#include <cmath>

namespace h5score::model {
namespace {

// Budgets for a tile's features and what they become. The first keeps both in a usual L2 cache. Below 64 rows, fetching
// the weights of wide layers costs more than a tile that spills into L3 (measured: 2048 x 2048 runs twice as fast with
// 64 rows).
constexpr u64 kCacheBytes = u64{512} << 10U;
constexpr u64 kSpillBytes = u64{2} << 20U;
constexpr u64 kSpillRows = 64;
constexpr u64 kLeastRows = 16;
constexpr u64 kMostRows = 256;
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

u64 rows_for(u64 bytes_per_row) {
  u64 rows = kMostRows;
  while (rows > kLeastRows && rows * bytes_per_row > (rows > kSpillRows ? kCacheBytes : kSpillBytes)) rows /= 2;
  return rows;
}

/// Whether a NaN in the input only ever meets stages that keep columns apart until an Impute replaces it.
bool imputes_nan(const std::vector<Stage>& stages) {
  for (const Stage& stage : stages) {
    if (const auto* impute = std::get_if<Impute>(&stage); impute != nullptr && impute->missing_is_nan) return true;
    const bool columnwise = std::holds_alternative<Impute>(stage) || std::holds_alternative<Scale>(stage) ||
                            std::holds_alternative<Clip>(stage) || std::holds_alternative<Log1p>(stage) ||
                            std::holds_alternative<Activation>(stage);
    if (!columnwise) return false;
  }
  return false;
}

struct Buffers : Workspace {
  base::AlignedBuffer columns[2];  // feature-major tile and its successor
  base::AlignedBuffer scratch;
  base::AlignedBuffer z;
  base::AlignedBuffer head;
  base::u8 status[kMostRows] = {};
  u64 work_since_poll = 0;
};

template <class T>
class TypedEvaluator final : public Evaluator {
 public:
  TypedEvaluator(const Model& model, Isa isa)
      : isa_(isa),
        tables_(kernels::tables(isa)),
        table_(kernels::table<T>(isa)),
        features_(model.n_features),
        stride_(stride_of<T>(features_)),
        nan_handled_(imputes_nan(model.stages)),
        steps_(make_steps(model)),
        head_(model.head, steps_.empty() ? features_ : steps_.back()->output_width(), precision()),
        widest_(padded<T>(features_)),
        flops_(head_.flops()) {
    u64 widest_pair = widest_;
    for (const auto& step : steps_) {
      widest_ = std::max(widest_, step->output_width());
      widest_pair = std::max(widest_pair, step->input_width() + step->output_width());
      flops_ += step->flops();
    }
    rows_ = rows_for(widest_pair * sizeof(T));
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

  [[nodiscard]] std::unique_ptr<Workspace> make_workspace() const override {
    auto buffers = std::make_unique<Buffers>();
    for (auto& buffer : buffers->columns) buffer.resize(rows_ * widest_ * sizeof(T));
    u64 scratch = rows_ * sizeof(T);
    for (const auto& step : steps_) scratch = std::max(scratch, step->scratch_bytes(rows_));
    buffers->scratch.resize(scratch);
    buffers->z.resize(rows_ * head_.width() * sizeof(double));
    buffers->head.resize(rows_ * head_.scratch_columns() * sizeof(double));
    return buffers;
  }

  void score(const std::byte* tile, u64 valid_rows, Workspace& workspace, const TileResults& results,
             const std::function<void()>& poll) const override {
    auto& buffers = static_cast<Buffers&>(workspace);
    Meter meter(poll, table_.lanes, buffers.work_since_poll);
    T* in = buffers.columns[0].as<T>();
    T* out = buffers.columns[1].as<T>();
    const T* rows = reinterpret_cast<const T*>(tile);
    load(rows, in, meter);
    inspect(rows, valid_rows, in, buffers, meter);
    for (const auto& step : steps_) {
      step->run({tables_, rows_, in, step->in_place() ? in : out, buffers.scratch.data(), meter});
      if (!step->in_place()) std::swap(in, out);
    }
    const double* z = widened(in, buffers);
    head_.run({tables_.wide, rows_, valid_rows, z, buffers.head.as<double>(), buffers.status, results, meter});
  }

 private:
  std::vector<std::unique_ptr<const Step<T>>> make_steps(const Model& model) const {
    std::vector<std::unique_ptr<const Step<T>>> steps;
    u64 width = model.n_features;
    for (const Stage& stage : simplify(model.stages, precision())) {
      steps.push_back(make_step<T>(stage, width, tables_));
      width = steps.back()->output_width();
    }
    return steps;
  }

  void load(const T* rows, T* columns, Meter& meter) const {
    const u64 line = kLineBytes / sizeof(T);
    for_columns(padded<T>(features_) / line, rows_ * line, meter, [&](u64 first, u64 count) {
      table_.transpose(rows + first * line, stride_, rows_, count * line, columns + first * line * rows_);
    });
  }

  /// Sets the input's status flags: a vector pass finds the rows, their features are then looked at one by one.
  void inspect(const T* rows, u64 valid_rows, const T* columns, Buffers& buffers, Meter& meter) const {
    T* mark = buffers.scratch.as<T>();
    std::fill_n(mark, rows_, T{0});
    for_columns(features_, rows_, meter,
                [&](u64 first, u64 count) { table_.mark_nonfinite(columns + first * rows_, rows_, count, mark); });
    for (u64 i = 0; i < valid_rows; ++i) {
      buffers.status[i] = std::isnan(mark[i]) ? flags_of(rows + i * stride_) : base::u8{status_ok};
      if (std::isnan(mark[i])) meter.spend(features_ * 8);
    }
  }
  [[nodiscard]] base::u8 flags_of(const T* row) const {
    bool nan = false;
    bool infinite = false;
    for (u64 j = 0; j < features_; ++j) {
      nan = nan || std::isnan(row[j]);
      infinite = infinite || std::isinf(row[j]);
    }
    return static_cast<base::u8>((nan && !nan_handled_ ? status_missing : 0) | (infinite ? status_nonfinite : 0));
  }

  const double* widened(const T* z, Buffers& buffers) const {
    if constexpr (sizeof(T) == sizeof(double)) {
      return z;
    } else {
      std::copy_n(z, rows_ * head_.width(), buffers.z.template as<double>());
      return buffers.z.template as<double>();
    }
  }

  Isa isa_;
  const kernels::Tables& tables_;
  const kernels::Table<T>& table_;
  u64 features_;
  u64 stride_;
  bool nan_handled_;
  std::vector<std::unique_ptr<const Step<T>>> steps_;
  HeadEvaluator head_;
  u64 widest_;
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
  if (options.precision.value_or(model.precision) == Precision::float32)
    return std::make_unique<TypedEvaluator<float>>(model, isa);
  return std::make_unique<TypedEvaluator<double>>(model, isa);
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
