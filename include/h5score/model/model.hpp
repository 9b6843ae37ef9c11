// A trained model: a graph of stages (mostly a chain) and a head that says what comes out of it.
#pragma once

#include "h5score/model/stage.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace h5score::model {

/// Class labels in the model's own type and order.
using ClassLabels = std::variant<std::vector<base::i64>, std::vector<double>, std::vector<std::string>>;
u64 class_count(const ClassLabels& labels);
/// Label i as text ("3", "2.5", "galaxy").
std::string class_name(const ClassLabels& labels, u64 i);

enum class HeadKind : base::u8 {
  values,      ///< regression: the last stage's k columns are the predictions
  binary,      ///< one column z: label = z > threshold (classes[1] if so, else classes[0])
  multiclass,  ///< c columns: label = first largest
  multilabel,  ///< c columns: label is n x c of 0/1, each z_j > threshold
  one_vs_one,  ///< c(c-1)/2 columns in LIBSVM's order: label = most votes, the first of equals (LIBSVM
               ///< svm_predict_values)
  one_class,   ///< one column: label = z > 0 ? classes[1] (+1) : classes[0] (-1)
};

/// How probabilities come from the last stage's columns z.
enum class Link : base::u8 {
  none,      ///< the model has no probabilities
  identity,  ///< z already are probabilities (binary: of classes[1]); threshold 0.5 instead of 0, no /decision
  sigmoid,   ///< binary: p1 = 1/(1+exp(-z)); multilabel: each column on its own
  softmax,   ///< multiclass: softmax(z); binary: softmax over (-z, z), scikit-learn's binary multinomial
  normalized_sigmoid,  ///< multiclass one-vs-rest: sigmoid(z_j) / sum (scikit-learn's OvR LogisticRegression)
  /// binary or one_vs_one SVM: 1/(1+exp(A z + B)) is the probability of classes[1] (binary) or of a pair's first class;
  /// then pairwise coupling (Wu, Lin, Weng 2004), stopped as LIBSVM does. Two classes are coupled in `binary`, as in
  /// scikit-learn's copy of LIBSVM (up to 0.003 off the formula), and not in `one_vs_one`, as in LIBSVM 3.24.
  platt,
};

struct Head {
  HeadKind kind = HeadKind::values;
  Link link = Link::none;
  ClassLabels classes;                    ///< all kinds but `values`
  std::vector<std::string> target_names;  ///< `values`: empty or one per column
  std::vector<double> prob_a, prob_b;     ///< `platt`: one per pair
  /// one_vs_one: /decision is n x c as scikit-learn's decision_function_shape='ovr' (votes plus squashed confidences,
  /// sklearn.utils.multiclass._ovr_decision_function) instead of the n x c(c-1)/2 pair values. As there, no effect on 2
  /// classes.
  bool decision_ovr = false;
  /// one_vs_one with probabilities: the label is the most probable class (svm-predict -b 1) instead of the vote.
  bool label_by_probability = false;
};

enum class Precision : base::u8 { float32, float64 };
const char* to_string(Precision precision);

/// Which library made the model: "scikit-learn", "1.2.1"; `format` is the file format it was read from ("native",
/// "libsvm", "onnx", "keras").
struct Origin {
  std::string library;
  std::string version;
  std::string format;
};

/// Up to 256 real rows and what the original library said of them; empty vectors where it has no such output.
struct GoldenRows {
  Matrix rows;                         ///< g x n_features
  Matrix prediction;                   ///< g x targets
  Matrix decision;                     ///< g x columns of /decision
  Matrix probability;                  ///< g x classes
  std::vector<base::i64> label_codes;  ///< g, or g * classes row-major for multilabel
};

/// What the features looked like in training, in the units that the model reads; each vector empty or n_features.
struct FeatureReference {
  std::vector<double> mean;
  std::vector<double> stddev;
  std::vector<double> minimum;
  std::vector<double> maximum;
};

struct Model {
  u64 n_features = 0;
  std::vector<Stage> stages;  ///< in topological order; the last one feeds the head
  /// Empty: a chain. Else for each stage the nodes that it reads: 0 = the features, i + 1 = the output of stage i.
  std::vector<std::vector<u64>> inputs;
  Head head;
  std::vector<std::string> feature_names;  ///< empty or n_features
  /// Shape of one row as the model's library sees it, C order ({1, 28, 28}); empty: n_features columns.
  std::vector<u64> input_shape;
  /// Before anything else a row is multiplied so that *all* columns of its source, also those that the model does not
  /// read, sum to this (scanpy's normalize_total); done by whoever reads rows: evaluators and golden rows see the
  /// result.
  std::optional<double> total_count;
  std::optional<FeatureReference> reference;
  Precision precision = Precision::float64;  ///< the model's declared type
  Origin origin;
  std::optional<GoldenRows> golden;
};

/// The nodes that stage i reads (Model::inputs, or the stage before it).
std::vector<u64> inputs_of(const Model& model, u64 stage);
/// Model::reference; where it lacks mean and stddev, those of Scales brought back to the model's inputs, column by
/// column (through Log1p, Impute, MarkMissing, Clip, Select, concat and further Scales before them): NaN for features
/// of which the model does not know. Scalers to a range, whose offsets are all 0 or the reference's minimum, say
/// nothing. nullopt: the model knows of none.
std::optional<FeatureReference> training_reference(const Model& model);
/// Puts `stages` in front of the model's first: they see the features. Keeps chains chains. Where they take another
/// number of columns, n_features and what goes with it are for the caller to set.
void prepend(Model& model, std::vector<Stage> stages);

/// Throws Error(data) unless stages only read what is before them, the widths of all stages, the head, names and golden
/// rows fit each other, every parameter is finite (NaN is allowed in Impute::statistics and in the reference) and no
/// width exceeds 2^22 (a tile of 16 such rows takes 512 MiB).
void validate(const Model& model);
/// "logistic regression, 784 features, 10 classes" : what a person calls it, derived from stages and head.
std::string describe(const Model& model);
/// Content hash of everything that determines scores (not origin, not golden rows).
std::string model_hash(const Model& model);

template <class A>
void archive(A& ar, Head& v) {
  ar(v.kind, v.link, v.classes, v.target_names, v.prob_a, v.prob_b, v.decision_ovr, v.label_by_probability);
}
template <class A>
void archive(A& ar, Origin& v) {
  ar(v.library, v.version, v.format);
}
template <class A>
void archive(A& ar, GoldenRows& v) {
  ar(v.rows, v.prediction, v.decision, v.probability, v.label_codes);
}
template <class A>
void archive(A& ar, FeatureReference& v) {
  ar(v.mean, v.stddev, v.minimum, v.maximum);
}
template <class A>
void archive(A& ar, Model& v) {
  ar(v.n_features, v.stages, v.inputs, v.head, v.feature_names, v.input_shape, v.total_count, v.reference, v.precision,
     v.origin, v.golden);
}

}  // namespace h5score::model
