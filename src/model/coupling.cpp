// Algorithm 2 of Wu, Lin and Weng 2004.
#include "coupling.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {

using base::u64;

Coupling::Coupling(u64 classes) : c_(classes), q_(classes * classes), p_(classes), qp_(classes) {}

// Q_tt = sum over s != t of r_st^2, Q_ts = -r_st r_ts.
void Coupling::fill_q(const std::vector<double>& pairwise) {
  std::vector<double>& r = q_;  // first r itself, then Q in its place
  u64 pair = 0;
  for (u64 i = 0; i < c_; ++i)
    for (u64 j = i + 1; j < c_; ++j) {
      r[i * c_ + j] = pairwise[pair++];
      r[j * c_ + i] = 1 - r[i * c_ + j];
    }
  for (u64 t = 0; t < c_; ++t) {
    double diagonal = 0;
    for (u64 s = 0; s < c_; ++s)
      if (s != t) diagonal += r[s * c_ + t] * r[s * c_ + t];
    qp_[t] = diagonal;
  }
  for (u64 t = 0; t < c_; ++t) {
    q_[t * c_ + t] = qp_[t];
    for (u64 s = t + 1; s < c_; ++s) q_[t * c_ + s] = q_[s * c_ + t] = -r[s * c_ + t] * r[t * c_ + s];
  }
}

const std::vector<double>& Coupling::operator()(const std::vector<double>& pairwise) {
  fill_q(pairwise);
  const double tolerance = 0.005 / static_cast<double>(c_);
  std::fill(p_.begin(), p_.end(), 1 / static_cast<double>(c_));
  for (u64 iteration = 0; iteration < std::max<u64>(100, c_); ++iteration) {
    double pqp = 0;
    for (u64 t = 0; t < c_; ++t) {
      qp_[t] = 0;
      for (u64 s = 0; s < c_; ++s) qp_[t] += q_[t * c_ + s] * p_[s];
      pqp += p_[t] * qp_[t];
    }
    double worst = 0;
    for (u64 t = 0; t < c_; ++t) worst = std::max(worst, std::abs(qp_[t] - pqp));
    if (worst < tolerance) break;
    for (u64 t = 0; t < c_; ++t) {
      const double step = (pqp - qp_[t]) / q_[t * c_ + t];
      const double norm = 1 + step;
      p_[t] += step;
      pqp = (pqp + step * (step * q_[t * c_ + t] + 2 * qp_[t])) / norm / norm;
      for (u64 s = 0; s < c_; ++s) {
        qp_[s] = (qp_[s] + step * q_[t * c_ + s]) / norm;
        p_[s] /= norm;
      }
    }
  }
  return p_;
}

}  // namespace h5score::model
