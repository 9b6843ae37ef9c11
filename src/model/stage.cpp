// Names and widths of stages.
#include "h5score/model/stage.hpp"

#include "h5score/base/error.hpp"

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

struct Describe {
  std::string operator()(const Affine& s) const {
    return "affine " + std::to_string(s.weights.rows) + " -> " + std::to_string(s.weights.cols);
  }
  std::string operator()(const Activation& s) const { return name_of(s.kind); }
  std::string operator()(const Softmax&) const { return "softmax"; }
  std::string operator()(const KernelExpansion& s) const {
    return std::string(name_of(s.kernel.kind)) + " kernel, " + std::to_string(s.support_vectors.rows) +
           " support vectors";
  }
  std::string operator()(const Impute&) const { return "impute"; }
  std::string operator()(const Scale&) const { return "scale"; }
  std::string operator()(const Normalize& s) const { return std::string("normalize ") + name_of(s.norm); }
  std::string operator()(const Clip&) const { return "clip"; }
  std::string operator()(const Log1p&) const { return "log1p"; }
};

struct Widths {
  u64 input;  ///< required, or the given width
  u64 output;
};
struct WidthsOf {
  u64 d;
  Widths operator()(const Affine& s) const { return {s.weights.rows, s.weights.cols}; }
  Widths operator()(const KernelExpansion& s) const { return {s.support_vectors.cols, s.coefficients.cols}; }
  Widths operator()(const Impute& s) const { return {s.statistics.size(), s.statistics.size()}; }
  Widths operator()(const Scale& s) const { return {s.offset.size(), s.offset.size()}; }
  template <class Other>
  Widths operator()(const Other&) const {
    return {d, d};
  }
};

}  // namespace

std::string describe(const Stage& stage) {
  return std::visit(Describe{}, stage);
}

u64 output_width(const Stage& stage, u64 d) {
  const Widths widths = std::visit(WidthsOf{d}, stage);
  if (widths.input != d)
    throw base::Error(base::ExitCode::data, "the stage '" + describe(stage) + "' takes " +
                                                std::to_string(widths.input) + " columns, but gets " +
                                                std::to_string(d));
  return widths.output;
}

}  // namespace h5score::model
