// Compiled models: evaluation of rows in one precision, by kernels chosen for this CPU.
// A row's result depends on that row alone, bit for bit: not on its neighbours, its place, its address or the count.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/model/model.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace h5score::model {

/// The instruction sets that kernels are built for, lowest first. `baseline` is what the compiler targets by default.
enum class Isa : base::u8 { baseline, avx2, avx512 };
const char* to_string(Isa isa);
/// The best one that this CPU runs, this build has and the environment variable H5SCORE_ISA (baseline, avx2 or avx512)
/// allows; throws Error(usage) where it says anything else. Results of avx2 and avx512 are equal bit for bit; baseline
/// differs in last bits, so capping all ranks to it gives equal bytes on a cluster where some CPUs have no AVX2.
Isa best_isa();

enum class ResultKind : base::u8 { prediction, label, probability, decision, status };
const char* to_string(ResultKind kind);

/// One result per row: element type (float32/float64, int32 label codes, uint8 status) and width.
struct ResultColumn {
  ResultKind kind = ResultKind::prediction;
  base::ElementType type;
  u64 width = 1;
  bool matrix = false;  ///< n x width even where width is 1 (probabilities, decisions of several columns)
  [[nodiscard]] u64 row_bytes() const { return width * type.size; }
};

/// Bits of /status.
enum StatusFlag : base::u8 { status_ok = 0, status_missing = 1, status_nonfinite = 2 };

/// Where results go: row-major, ResultColumn::row_bytes() per row; null = not wanted.
struct TileResults {
  std::byte* prediction = nullptr;
  std::byte* label = nullptr;
  std::byte* probability = nullptr;
  std::byte* decision = nullptr;
  std::byte* status = nullptr;
};

/// Scratch memory of one thread, reused from call to call.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

struct CompileOptions {
  std::optional<Precision> precision;  ///< default: the model's declared type
  std::optional<Isa> isa;              ///< default: best_isa(); a higher one than that throws Error(internal)
};

/// Immutable after construction; one instance serves all threads, each with its own Workspace.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  [[nodiscard]] virtual Precision precision() const = 0;
  [[nodiscard]] virtual Isa isa() const = 0;
  [[nodiscard]] virtual u64 features() const = 0;
  /// Rows that are computed together, a power of two from 16 to 256; fewer take as long.
  [[nodiscard]] virtual u64 tile_rows() const = 0;
  /// Elements from one row to the next that suit a caller's own buffer (>= features(), a multiple of 64 bytes).
  [[nodiscard]] virtual u64 input_stride() const = 0;
  /// What this model can give: prediction, or label [, probability] [, decision]; always status.
  [[nodiscard]] virtual const std::vector<ResultColumn>& columns() const = 0;
  /// Floating-point operations per row, an exponential counted as 20: the cost that plans use.
  [[nodiscard]] virtual double flops_per_row() const = 0;
  /// Per feature, whether a NaN in it makes a row missing: false where every path from it leads through an Impute of
  /// that column, or where no stage reads it.
  [[nodiscard]] virtual const std::vector<bool>& missing_matters() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Workspace> make_workspace() const = 0;

  /// Scores `count` rows, any number. Row i begins i * stride elements of precision() behind `rows`, aligned as its
  /// elements are; stride >= features(). What lies between two rows does not matter, and nothing is read behind the
  /// last feature of the last row.
  /// A row with a NaN (or a value that a MarkMissing stage marks) in a feature where missing_matters() has
  /// status_missing; with an infinity in a feature that is read, or a non-finite result, status_nonfinite; either way
  /// its floating results are NaN and its label is -1 (multilabel: all -1). `poll` is called at least every ~0.1 ms of
  /// work (MPI progress).
  virtual void score(const std::byte* rows, u64 stride, u64 count, Workspace& workspace, const TileResults& results,
                     const std::function<void()>& poll) const = 0;
  /// The same, with the same bits, of rows that lie column by column: row i of feature j is element first + i of
  /// precision() behind columns[j].
  virtual void score_columns(const std::byte* const* columns, u64 first, u64 count, Workspace& workspace,
                             const TileResults& results, const std::function<void()>& poll) const = 0;
};

/// Compiles a validated model: folds scalers into the next Affine, linear kernels into an Affine, chooses the tile
/// height.
std::unique_ptr<const Evaluator> compile(const Model& model, const CompileOptions& options = {});

/// Scores row-major rows (n x features, double, converted to the evaluator's precision) in one go, for self-tests, dry
/// runs and tests: results of column i in the order of columns(), each n * row_bytes() bytes.
std::vector<base::Bytes> score_rows(const Evaluator& evaluator, const double* rows, u64 n);

/// Outcome of scoring a model's golden rows.
struct SelfTest {
  u64 rows = 0;
  double max_difference = 0;  ///< largest |ours - theirs| / max(1, |theirs|) over values, decisions and probabilities
  u64 label_mismatches = 0;   ///< labels that differ where the deciding values do not tie within tolerance
  double tolerance = 0;
  bool passed = true;
};
/// Scores the golden rows; rows = 0 where the model carries none. Tolerance: 1e-9 for float64, 1e-4 for float32.
SelfTest self_test(const Model& model, const Evaluator& evaluator);

/// Scores a fixed probe tile: a CRC-32 of all result bytes. Equal on every rank, or the scores would depend on the
/// rank.
base::u32 probe(const Evaluator& evaluator);

}  // namespace h5score::model
