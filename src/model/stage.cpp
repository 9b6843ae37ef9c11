// Names and widths of stages.
#include "h5score/model/stage.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/base/text.hpp"

namespace h5score::model {
namespace {

const char* name_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::identity:
      return "identity";
    case ActivationKind::relu:
      return "relu";
    case ActivationKind::relu6:
      return "relu6";
    case ActivationKind::leaky_relu:
      return "leaky_relu";
    case ActivationKind::elu:
      return "elu";
    case ActivationKind::selu:
      return "selu";
    case ActivationKind::gelu:
      return "gelu";
    case ActivationKind::gelu_tanh:
      return "gelu_tanh";
    case ActivationKind::silu:
      return "silu";
    case ActivationKind::sigmoid:
      return "sigmoid";
    case ActivationKind::hard_sigmoid:
      return "hard_sigmoid";
    case ActivationKind::tanh:
      return "tanh";
    case ActivationKind::softplus:
      return "softplus";
    case ActivationKind::softsign:
      return "softsign";
    case ActivationKind::exponential:
      return "exponential";
    case ActivationKind::erf:
      return "erf";
  }
  return "unknown activation";
}

const char* name_of(KernelKind kind) {
  switch (kind) {
    case KernelKind::linear:
      return "linear";
    case KernelKind::polynomial:
      return "polynomial";
    case KernelKind::rbf:
      return "rbf";
    case KernelKind::sigmoid:
      return "sigmoid";
  }
  return "unknown";
}

const char* name_of(Norm norm) {
  switch (norm) {
    case Norm::l1:
      return "l1";
    case Norm::l2:
      return "l2";
    case Norm::max:
      return "max";
  }
  return "unknown";
}

const char* name_of(CombineKind kind) {
  switch (kind) {
    case CombineKind::concat:
      return "concatenate";
    case CombineKind::add:
      return "add";
    case CombineKind::subtract:
      return "subtract";
    case CombineKind::multiply:
      return "multiply";
    case CombineKind::divide:
      return "divide";
    case CombineKind::minimum:
      return "minimum";
    case CombineKind::maximum:
      return "maximum";
  }
  return "unknown combination";
}

struct Describe {
  std::string operator()(const Affine& s) const {
    return "affine " + std::to_string(s.weights.rows) + " -> " + std::to_string(s.weights.cols);
  }
  std::string operator()(const Activation& s) const { return name_of(s.kind); }
  std::string operator()(const Softmax& s) const {
    const std::string groups = s.group == 0 ? "" : " of groups of " + std::to_string(s.group);
    return (s.log ? "log softmax" : "softmax") + groups;
  }
  std::string operator()(const KernelExpansion& s) const {
    return std::string(name_of(s.kernel.kind)) + " kernel, " + std::to_string(s.support_vectors.rows) +
           " support vectors";
  }
  std::string operator()(const Impute&) const { return "impute"; }
  std::string operator()(const Scale&) const { return "scale"; }
  std::string operator()(const Normalize& s) const { return std::string("normalize ") + name_of(s.norm); }
  std::string operator()(const Clip&) const { return "clip"; }
  std::string operator()(const Log1p&) const { return "log1p"; }
  std::string operator()(const MarkMissing&) const { return "mark missing"; }
  std::string operator()(const Binarize&) const { return "binarize"; }
  std::string operator()(const Select& s) const { return "select " + base::plural(s.columns.size(), "column"); }
  std::string operator()(const Combine& s) const { return name_of(s.kind); }
};

[[noreturn]] void fail(const Stage& stage, const std::string& problem) {
  throw base::Error(base::ExitCode::data, "the stage '" + describe(stage) + "' " + problem);
}

/// Width after a stage of one input; what a stage requires is compared with the width d that it gets.
struct OutputWidth {
  const Stage& stage;
  u64 d;
  u64 operator()(const Affine& s) const { return taking(s.weights.rows, s.weights.cols); }
  u64 operator()(const KernelExpansion& s) const { return taking(s.support_vectors.cols, s.coefficients.cols); }
  u64 operator()(const Impute& s) const { return taking(s.statistics.size(), d); }
  u64 operator()(const Scale& s) const { return taking(s.offset.size(), d); }
  u64 operator()(const Softmax& s) const {
    if (s.group != 0 && d % s.group != 0) fail(stage, "gets " + base::plural(d, "column"));
    return d;
  }
  u64 operator()(const Select& s) const {
    for (const u64 column : s.columns)
      if (column >= d) fail(stage, "takes column " + std::to_string(column) + ", but gets " + std::to_string(d));
    return s.columns.size();
  }
  u64 operator()(const Combine&) const { fail(stage, "takes at least 2 inputs, but gets 1"); }
  template <class Other>
  u64 operator()(const Other&) const {
    return d;
  }

 private:
  [[nodiscard]] u64 taking(u64 needed, u64 output) const {
    if (needed != d) fail(stage, "takes " + base::plural(needed, "column") + ", but gets " + std::to_string(d));
    return output;
  }
};

u64 combined_width(const Stage& stage, CombineKind kind, std::span<const u64> inputs) {
  if (kind == CombineKind::concat) {
    u64 width = 0;
    for (const u64 input : inputs) width = base::checked_add(width, input);
    return width;
  }
  for (const u64 input : inputs)
    if (input != inputs[0])
      fail(stage, "gets inputs of " + std::to_string(inputs[0]) + " and " + std::to_string(input) + " columns");
  return inputs[0];
}

}  // namespace

std::string describe(const Stage& stage) {
  return std::visit(Describe{}, stage);
}

u64 output_width(const Stage& stage, std::span<const u64> inputs) {
  const auto* combine = std::get_if<Combine>(&stage);
  if (inputs.empty()) fail(stage, "has no input");
  if (inputs.size() == 1) return std::visit(OutputWidth{stage, inputs[0]}, stage);
  if (combine == nullptr) fail(stage, "takes 1 input, but gets " + std::to_string(inputs.size()));
  return combined_width(stage, combine->kind, inputs);
}

u64 output_width(const Stage& stage, u64 d) {
  return output_width(stage, std::span(&d, 1));
}

}  // namespace h5score::model
