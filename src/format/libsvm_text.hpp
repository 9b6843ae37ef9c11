// The contents of a LIBSVM model file as it stands there, before it becomes a model.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/stage.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace h5score::format::libsvm {

enum class SvmType : base::u8 { c_svc, nu_svc, one_class, epsilon_svr, nu_svr };

struct Header {
  std::optional<SvmType> type;
  std::optional<model::KernelKind> kernel;
  std::optional<double> gamma, coef0;
  std::optional<base::u64> degree;
  base::u64 classes = 0;  ///< 2 for one-class and regression, as LIBSVM writes
  base::u64 total_sv = 0;
  std::vector<double> rho, prob_a, prob_b;
  std::vector<base::i64> labels;
  std::vector<base::u64> sv_per_class;

  [[nodiscard]] bool classifies() const { return type == SvmType::c_svc || type == SvmType::nu_svc; }
  [[nodiscard]] base::u64 pairs() const { return classes * (classes - 1) / 2; }
};

/// Support vectors in compressed rows; `index` counts from 0.
struct SupportVectors {
  std::vector<double> coefficients;  ///< total_sv x (classes - 1)
  std::vector<std::size_t> begin;    ///< total_sv + 1
  std::vector<base::u32> index;
  std::vector<double> value;
  base::u64 width = 0;  ///< largest index
};

struct File {
  Header header;
  SupportVectors vectors;
};

/// Parses and checks a whole file; throws Error(data) with the line number.
File parse(std::string_view text);

}  // namespace h5score::format::libsvm
