// The registration table of operators: one row each, with the function that lowers it.
#pragma once

#include "node.hpp"

#include <string>
#include <vector>

namespace h5score::format::onnx {

struct Operator {
  const char* domain;
  const char* name;
  i64 since;  ///< the oldest opset whose form of it is read
  void (*lower)(Node&);
  const char* notes;  ///< what of it is supported; empty: all
};
/// The newest operator set of a domain whose operators this table describes (ai.onnx 25 and ai.onnx.ml 5, of
/// ONNX 1.20).
i64 newest_opset(const std::string& domain);
const std::vector<Operator>& operator_table();
/// nullptr where it is not supported.
const Operator* find_operator(const std::string& domain, const std::string& name);

/// Lowering functions, by kind. Each reads the node's inputs and sets its outputs, or refuses.
namespace lower {

// Rearrangement (shape_operators.cpp, cast_operator.cpp, index_operators.cpp)
void constant(Node&), constant_of_shape(Node&), shape(Node&), identity(Node&), cast(Node&), reshape(Node&),
    flatten(Node&), transpose(Node&), squeeze(Node&), unsqueeze(Node&), expand(Node&);
void concat(Node&), split(Node&), slice(Node&), gather(Node&), feature_vectorizer(Node&),
    array_feature_extractor(Node&);

// Elementwise (arithmetic.cpp, activations.cpp)
void add(Node&), subtract(Node&), multiply(Node&), divide(Node&), power(Node&), minimum(Node&), maximum(Node&),
    sum(Node&), mean(Node&), reduce_product(Node&), negate(Node&), square_root(Node&), absolute(Node&), greater(Node&);
void relu(Node&), leaky_relu(Node&), prelu(Node&), thresholded_relu(Node&), elu(Node&), selu(Node&), celu(Node&),
    sigmoid(Node&), hard_sigmoid(Node&), hard_swish(Node&), swish(Node&), mish(Node&), tanh(Node&), softplus(Node&),
    softsign(Node&), exponential(Node&), logarithm(Node&), erf(Node&), gelu(Node&), clip(Node&), softmax(Node&),
    log_softmax(Node&);

// Sums over columns (linear_operators.cpp, conv_operators.cpp)
void gemm(Node&), mat_mul(Node&), batch_normalization(Node&);
void conv(Node&), global_average_pool(Node&), average_pool(Node&), reduce_mean(Node&), reduce_sum(Node&);

// ai.onnx.ml and labels (ml_operators.cpp, svm_operators.cpp, label_operators.cpp)
void linear_regressor(Node&), linear_classifier(Node&), scaler(Node&), normalizer(Node&), lp_normalization(Node&),
    imputer(Node&), binarizer(Node&);
void svm_regressor(Node&), svm_classifier(Node&);
void arg_max(Node&), sign(Node&), label_encoder(Node&), zip_map(Node&);

}  // namespace lower
}  // namespace h5score::format::onnx
