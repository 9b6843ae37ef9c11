// The registration table.
#include "operators.hpp"

#include "onnx.hpp"

#include <algorithm>

namespace h5score::format::onnx {

const std::vector<Operator>& operator_table() {
  static constexpr const char* main = "ai.onnx";
  static constexpr const char* ml = "ai.onnx.ml";
  static const std::vector<Operator> table{
      {main, "Abs", 6, lower::absolute, ""},
      {main, "Add", 1, lower::add, ""},
      {main, "ArgMax", 1, lower::arg_max, "one label per row; not select_last_index"},
      {main, "AveragePool", 1, lower::average_pool, "over all positions"},
      {main, "BatchNormalization", 1, lower::batch_normalization, "not in training mode"},
      {main, "Cast", 1, lower::cast, "of rows between float and double; of labels; of constants"},
      {main, "Celu", 12, lower::celu, ""},
      {main, "Clip", 1, lower::clip, ""},
      {main, "Concat", 4, lower::concat, "not along the rows"},
      {main, "Constant", 1, lower::constant, "not sparse"},
      {main, "ConstantOfShape", 9, lower::constant_of_shape, "not as long as the rows"},
      {main, "Conv", 1, lower::conv, "kernel 1x1, or as large as its input; no padding"},
      {main, "Div", 1, lower::divide, "not of integers"},
      {main, "Dropout", 1, lower::identity, "does nothing"},
      {main, "Elu", 1, lower::elu, ""},
      {main, "Erf", 9, lower::erf, ""},
      {main, "Exp", 1, lower::exponential, ""},
      {main, "Expand", 8, lower::expand, "not along the rows"},
      {main, "Flatten", 1, lower::flatten, "not across rows"},
      {main, "Gather", 1, lower::gather, "constant positions; a list of classes by ArgMax"},
      {main, "Gelu", 20, lower::gelu, ""},
      {main, "Gemm", 6, lower::gemm, "transA = 0, constant weights"},
      {main, "GlobalAveragePool", 1, lower::global_average_pool, ""},
      {main, "Greater", 7, lower::greater, "one constant threshold"},
      {main, "HardSigmoid", 1, lower::hard_sigmoid, ""},
      {main, "HardSwish", 14, lower::hard_swish, ""},
      {main, "Identity", 1, lower::identity, ""},
      {main, "LeakyRelu", 1, lower::leaky_relu, ""},
      {main, "Log", 1, lower::logarithm, "of 1 + x"},
      {main, "LogSoftmax", 1, lower::log_softmax, "not over the rows"},
      {main, "LpNormalization", 1, lower::lp_normalization, "of columns"},
      {main, "MatMul", 1, lower::mat_mul, "one factor is a constant matrix"},
      {main, "Max", 6, lower::maximum, "of branches; one constant for all columns"},
      {main, "Mean", 6, lower::mean, ""},
      {main, "Min", 6, lower::minimum, "of branches; one constant for all columns"},
      {main, "Mish", 18, lower::mish, ""},
      {main, "Mul", 1, lower::multiply, ""},
      {main, "Neg", 1, lower::negate, ""},
      {main, "PRelu", 1, lower::prelu, "constant slopes"},
      {main, "Pow", 1, lower::power, "exponents 1, 2 and 3; of constants any"},
      {main, "ReduceMean", 1, lower::reduce_mean, "not over the rows"},
      {main, "ReduceProd", 1, lower::reduce_product, "of a list of constants, as in shapes"},
      {main, "ReduceSum", 1, lower::reduce_sum, "not over the rows"},
      {main, "Relu", 1, lower::relu, ""},
      {main, "Reshape", 1, lower::reshape, "not across rows"},
      {main, "Selu", 1, lower::selu, ""},
      {main, "Shape", 1, lower::shape, "for the extents of a Reshape"},
      {main, "Sigmoid", 1, lower::sigmoid, ""},
      {main, "Sign", 9, lower::sign, "as the label of a one-class model"},
      {main, "Slice", 1, lower::slice, "constant limits, not along the rows"},
      {main, "Softmax", 1, lower::softmax, "not over the rows"},
      {main, "Softplus", 1, lower::softplus, ""},
      {main, "Softsign", 1, lower::softsign, ""},
      {main, "Split", 1, lower::split, "not along the rows"},
      {main, "Sqrt", 1, lower::square_root, "of constants"},
      {main, "Squeeze", 1, lower::squeeze, ""},
      {main, "Sub", 1, lower::subtract, ""},
      {main, "Sum", 6, lower::sum, ""},
      {main, "Swish", 24, lower::swish, ""},
      {main, "Tanh", 1, lower::tanh, ""},
      {main, "ThresholdedRelu", 10, lower::thresholded_relu, ""},
      {main, "Transpose", 1, lower::transpose, ""},
      {main, "Unsqueeze", 1, lower::unsqueeze, ""},
      {ml, "ArrayFeatureExtractor", 1, lower::array_feature_extractor, "constant columns; a list of classes by ArgMax"},
      {ml, "Binarizer", 1, lower::binarizer, ""},
      {ml, "FeatureVectorizer", 1, lower::feature_vectorizer, ""},
      {ml, "Imputer", 1, lower::imputer, ""},
      {ml, "LabelEncoder", 1, lower::label_encoder, "of class labels, not of features"},
      {ml, "LinearClassifier", 1, lower::linear_classifier, "post_transform NONE, LOGISTIC, SOFTMAX"},
      {ml, "LinearRegressor", 1, lower::linear_regressor, "post_transform NONE, LOGISTIC, SOFTMAX"},
      {ml, "Normalizer", 1, lower::normalizer, "norm L1, L2"},
      {ml, "SVMClassifier", 1, lower::svm_classifier, "post_transform NONE"},
      {ml, "SVMRegressor", 1, lower::svm_regressor, "post_transform NONE"},
      {ml, "Scaler", 1, lower::scaler, ""},
      {ml, "ZipMap", 1, lower::zip_map, "as an output"},
  };
  return table;
}

i64 newest_opset(const std::string& domain) {
  return domain_of(domain) == "ai.onnx" ? 25 : 5;
}

const Operator* find_operator(const std::string& domain, const std::string& name) {
  const auto& table = operator_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const Operator& op) {
    return domain_of(domain) == op.domain && name == op.name;
  });
  return found == table.end() ? nullptr : &*found;
}

std::vector<OperatorInfo> operators() {
  std::vector<OperatorInfo> result;
  for (const Operator& op : operator_table()) result.push_back({op.domain, op.name, op.since, op.notes});
  return result;
}

}  // namespace h5score::format::onnx
