// Which column feeds which feature of which model: by name where both sides have names, else by position. Pure
// functions of what the source and the model say of themselves; what they decided is told in a report.
#pragma once

#include "h5score/model/model.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/storage/binding.hpp"

#include "feature_list.hpp"

#include <string>
#include <vector>

namespace h5score::run {

enum class Matching : base::u8 {
  by_name,
  by_position,
  permuted,  ///< by position, the channels of an image moved from first to last or back
};

/// How a model was bound, for people.
struct BindingReport {
  Matching matching = Matching::by_position;
  u64 features = 0;
  u64 matched = 0;                     ///< fed by columns; the others are constants
  u64 differences = 0;                 ///< of the matched: differences of two columns
  std::vector<std::string> unmatched;  ///< by name: the model's names that no column has
  std::string summary;                 ///< "12 features by name from /photometry, 2 of them differences"
  std::vector<std::string> notes;      ///< what a person should know besides, one sentence each
  /// True where the summary says more than that all columns feed all features in order.
  bool notable = false;
};

struct BoundModel {
  storage::Binding binding;
  BindingReport report;
  /// One per feature: the model's names; where it has none, those of --features or of the columns; empty: no names.
  std::vector<std::string> names;
};

/// Binds models to one source. The table must outlive it.
class FeatureBinder {
 public:
  /// `file`: the first input, for messages. `list`: --features. Throws as parse_features().
  FeatureBinder(const storage::SourceTable& table, const std::string& file, const std::string& list,
                MissingFeatures missing);
  FeatureBinder(const FeatureBinder&) = delete;
  FeatureBinder& operator=(const FeatureBinder&) = delete;

  /// Features that a model bound by position gets: the columns of the table or of the list.
  [[nodiscard]] u64 width() const { return list_.empty() ? table_.columns : list_.size(); }
  [[nodiscard]] const ColumnNames& columns() const { return columns_; }
  [[nodiscard]] const std::string& where() const { return where_; }

  /// Binds one model; `path` names it in messages. Throws Error(data) where names repeat, are not found (naming the
  /// first few and the nearest column), where the number of columns is not the model's, or where the shape of rows is
  /// no arrangement of the model's input.
  [[nodiscard]] BoundModel bind(const model::Model& model, const std::string& path) const;

 private:
  [[nodiscard]] bool by_name(const model::Model& model) const;
  void bind_names(const model::Model& model, const std::string& path, BoundModel& bound) const;
  [[nodiscard]] std::optional<storage::FeatureSource> find(const std::string& name) const;
  void replace_missing(const model::Model& model, const std::string& path, BoundModel& bound) const;
  [[noreturn]] void refuse_missing(const std::string& path, const BindingReport& report) const;
  void bind_positions(const model::Model& model, const std::string& path, BoundModel& bound) const;
  void require_width(const model::Model& model, const std::string& path) const;
  void describe(const model::Model& model, BoundModel& bound) const;

  const storage::SourceTable& table_;
  std::string where_;  ///< "cat.h5:/photometry"
  MissingFeatures missing_;
  ColumnNames columns_;
  std::vector<ListedFeature> list_;
  std::unordered_map<std::string_view, storage::FeatureSource> listed_;  ///< those with names
};

/// "/photometry/mag_g", "/photometry/mag_g - mag_r", "the constant 27.8".
std::string source_text(const storage::SourceTable& table, const storage::FeatureSource& source);
/// "float32"; "float32, int16" for a difference of unlike columns; "" for a constant.
std::string type_text(const storage::SourceTable& table, const storage::FeatureSource& source);

/// How rows of `row_shape` lie for a model that reads `input_shape`: as they are (also where one shape is the other
/// with neighbouring axes merged or axes of extent 1 dropped), or with the channels at the other end. Element i of
/// `columns` is the column of a flattened row that feeds feature i; empty: column i. nullopt: the shapes do not fit.
struct ImageOrder {
  std::vector<u64> columns;
};
std::optional<ImageOrder> match_shapes(const std::vector<u64>& input_shape, const std::vector<u64>& row_shape);

}  // namespace h5score::run
