// Class probabilities from pairwise ones.
#pragma once

#include "h5score/base/types.hpp"

#include <vector>

namespace h5score::model {

/// Pairwise coupling of T.-F. Wu, C.-J. Lin, R. C. Weng: Probability estimates for multi-class classification by
/// pairwise coupling, JMLR 5, 2004, the second method (algorithm 2), with LIBSVM's start (1/c), stopping rule (0.005/c)
/// and limit of iterations (max(100, c)): the iteration stops early, so the result depends on them.
class Coupling {
 public:
  explicit Coupling(base::u64 classes);
  /// `pairwise`: r_ij = P(i | i or j) for i < j in the order (0,1), (0,2), ..., (1,2), ...; returns c probabilities.
  const std::vector<double>& operator()(const std::vector<double>& pairwise);

 private:
  void fill_q(const std::vector<double>& pairwise);
  base::u64 c_;
  std::vector<double> q_, p_, qp_;
};

}  // namespace h5score::model
